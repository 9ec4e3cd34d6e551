"""The arguments and scripts for a clean chroot; the integration tests run them with the real programs."""

from __future__ import annotations

import dataclasses
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lab.base.run import run
from scripts.chroots.bootstrap import (
    Repository,
    base_argv,
    dependencies,
    install_script,
    layer_script,
    proxies,
    resolve_script,
    update,
)

CONTROL = "Source: dependencies\nBuild-Depends: b\n"
REPOSITORY = Repository("http://127.0.0.1:8", "trunk", "KEY 'of' it\n", "my-lab")
SIGNED = """\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Source: greet
Build-Depends: a

-----BEGIN PGP SIGNATURE-----

iQ==
-----END PGP SIGNATURE-----
"""
MIRROR = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm main"


def written(script: str, tmp_path: Path) -> dict[str, str]:
    """Run the lines of a script that write below /etc/apt in a directory; return the files and their content."""
    for name in ("trusted.gpg.d", "sources.list.d", "preferences.d"):
        (tmp_path / "apt" / name).mkdir(parents=True)
    lines = script.replace("/etc/apt/", f"{tmp_path}/apt/").replace("apt-get --quiet update", "true")
    run(["sh", "-euc", lines])
    return {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("qalab*")}


def test_repository_setup_trusts_lists_and_pins_archive(tmp_path: Path) -> None:
    assert written(update(REPOSITORY), tmp_path) == {
        "apt/trusted.gpg.d/qalab.asc": "KEY 'of' it\n",
        "apt/sources.list.d/qalab.list": "deb http://127.0.0.1:8 trunk main\n",
        "apt/preferences.d/qalab": "Package: *\nPin: release o=my-lab\nPin-Priority: 1001\n",
    }
    assert update(None) == "apt-get --quiet update\n"


def test_repository_setup_pins_only_named_packages_of_pocket(tmp_path: Path) -> None:
    keyring = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    pocket = Repository(
        "http://m.example", "noble-proposed", keyring=keyring, release="a=noble-proposed",
        areas=("main", "universe"), only=("greet", "libgreet"),
    )  # fmt: skip
    assert written(pocket.setup, tmp_path) == {
        "apt/sources.list.d/qalab.list": f"deb [signed-by={keyring}] http://m.example noble-proposed main universe\n",
        "apt/preferences.d/qalab": (
            "Package: *\nPin: release a=noble-proposed\nPin-Priority: -1\n\n"
            "Package: src:greet src:libgreet\nPin: release a=noble-proposed\nPin-Priority: 1001\n"
        ),
    }
    assert pocket.places == (" http://m.example noble-proposed/main ", " http://m.example noble-proposed/universe ")


@pytest.mark.parametrize(
    "replaces, lines",
    [
        (None, ["*", "1001"]),
        ((), ["*", "500"]),
        (("greet", "hail"), ["*", "500", "src:greet src:hail", "1001"]),
    ],
)
def test_repository_setup_pins_replacing_packages_only(
    tmp_path: Path, replaces: tuple[str, ...] | None, lines: list[str]
) -> None:
    archive = dataclasses.replace(REPOSITORY, replaces=replaces)
    preferences = written(archive.setup, tmp_path)["apt/preferences.d/qalab"].splitlines()
    assert [line.partition(": ")[2] for line in preferences if line.startswith(("Package:", "Pin-P"))] == lines
    assert archive.identity == dataclasses.replace(archive, url="http://127.0.0.1:9").identity
    assert (archive.identity == REPOSITORY.identity) is (replaces is None)


def test_repository_setup_has_no_sbuild_escape() -> None:
    """sbuild(1) replaces %s and other escapes in its commands."""
    assert "%" not in REPOSITORY.setup


@pytest.mark.parametrize(
    "dsc, expected",
    [
        ("Source: greet\nVersion: 1\n", ""),
        ("Source: greet\nBuild-Depends: a,\n b  (>= 1) <!nocheck>\nBuild-Conflicts: c\nVersion: 1\n",
         "Build-Depends: a, b (>= 1) <!nocheck>\nBuild-Conflicts: c\n"),
        ("Build-Depends-Indep: b\nBuild-Depends-Arch: c\nBuild-Depends: a\nSource: greet\n",
         "Build-Depends: a, b, c\n"),
        ("Build-Depends: b (= 2), a (<< 3), e | d (>= 4) [amd64], debhelper-compat (= 13)\nSource: greet\n",
         "Build-Depends: a (<< 3), b (= 2), debhelper-compat (= 13), e | d (>= 4) [amd64]\n"),
        ("Build-Depends: libjpeg-dev (>= 1) | libjpeg62-dev, a|b, c <!nocheck> | d\nSource: greet\n",
         "Build-Depends: a, c <!nocheck> | d, libjpeg-dev (>= 1)\n"),
        (SIGNED, "Build-Depends: a\n"),
    ],
)  # fmt: skip
def test_dependencies_of_dsc(dsc: str, expected: str) -> None:
    """The dependencies do not depend on other fields of the .dsc file."""
    assert dependencies(dsc) == f"Source: dependencies\n{expected}"


def test_dependencies_with_more_packages() -> None:
    dsc = "Source: one\nBuild-Depends: python3:any ,\n debhelper-compat (= 13)\nBuild-Depends-Arch: libfoo-dev\n"
    expected = "Source: dependencies\nBuild-Depends: ccache, debhelper-compat (= 13), libfoo-dev, python3:any\n"
    assert dependencies(dsc, ["ccache"]) == expected


def test_mmdebstrap_argv_of_base() -> None:
    argv = base_argv("bookworm", [MIRROR], target="/t", architecture="amd64", builder=(102, 105))
    assert argv[:4] == ["mmdebstrap", "--variant=buildd", "--architectures=amd64", "--include=fakeroot"]
    assert argv[-3:] == ["bookworm", "/t", MIRROR]
    assert '--aptopt=APT::Update::Error-Mode "any"' in argv
    group, user = (str(word) for word in argv if str(word).startswith("--customize-hook=chroot"))
    assert group == '--customize-hook=chroot "$1" groupadd --non-unique --gid 105 sbuild'
    assert "useradd --system --non-unique --uid 102 --gid 105 --home-dir /var/lib/sbuild " in user


def test_mmdebstrap_argv_with_https_mirror_adds_certificates() -> None:
    argv = base_argv("sid", [MIRROR.replace("http:", "https:")], target="/t", architecture="amd64", builder=(1, 2))
    assert "--include=fakeroot,ca-certificates" in argv
    assert any(str(word).startswith("--customize-hook=upload /etc/ssl/certs/") for word in argv)


def test_mmdebstrap_argv_uploads_custom_keyring() -> None:
    uploads = (f"--customize-hook=upload {path} {path}" for path in ("/srv/a.gpg", "/srv/cloud.gpg"))
    own, cloud = (f"deb [signed-by=/srv/{name}.gpg] http://{name}.example s main" for name in ("a", "cloud"))
    tables = {(MIRROR,): [], (own, own): [0], (MIRROR, cloud): [1], (own, cloud, cloud): [0, 1]}
    expected = [*uploads]
    for sources, numbers in tables.items():
        argv = base_argv("sid", sources, target="/t", architecture="amd64", builder=(1, 2))
        assert [word for word in argv if "hook=upload" in str(word)] == [expected[number] for number in numbers]
        assert [*argv[-len(sources) :]] == [*sources]
    assert """--customize-hook=mkdir -p "$1"/"$(dirname /srv/cloud.gpg)\"""" in argv


def test_proxies_from_apt_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The apt configuration of the host takes precedence over the environment."""
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    fake = tmp_path / "apt-config"
    fake.write_text('#!/bin/sh\n[ "$5" = Acquire::http::Proxy ] && echo "$5 \\"http://cache.example\\";"\nexit 0\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert proxies() == [
        'Acquire::http::Proxy "http://cache.example";',
        'Acquire::https::Proxy "http://proxy.example:3128";',
    ]


def test_apt_config_output_is_valid_configuration(tmp_path: Path) -> None:
    argv = ["apt-config", "--option=Acquire::http::Proxy=http://a", "dump", "--no-empty", "--format", '%f "%v";%n']
    assert run([*argv, "Acquire::http::Proxy"], capture=True).stdout == 'Acquire::http::Proxy "http://a";\n'


@pytest.mark.parametrize("profiles, option", [((), ""), (("nocheck", "nodoc"), " --build-profiles=nocheck,nodoc")])
def test_layer_script(profiles: tuple[str, ...], option: str) -> None:
    script = layer_script("Source: x\nBuild-Depends: a <!nocheck>\n", profiles, REPOSITORY)
    assert script.startswith(resolve_script("Source: x\nBuild-Depends: a <!nocheck>\n", profiles, REPOSITORY))
    assert f"{option} build-dep /tmp/source\n" in script
    assert script.endswith(
        "rm -rf /tmp/source /etc/apt/trusted.gpg.d/qalab.asc /etc/apt/sources.list.d/qalab.list "
        "/etc/apt/preferences.d/qalab\n} >&2\n"
    )
    assert run(["sh", "-n"], stdin=script.encode(), check=False)


def test_layer_script_of_cross_build() -> None:
    script = layer_script(CONTROL, ("cross", "nocheck"), REPOSITORY, "arm64")
    assert script.startswith("{\ndpkg --add-architecture arm64\n")
    assert script.count("--build-profiles=cross,nocheck --host-architecture=arm64 build-dep /tmp/source") == 2


APT = """\
#!/bin/sh
case $* in
    *--print-uris*dist-upgrade)
        echo "Reading package lists..."; echo "1 upgraded, 0 newly installed, 0 to remove and 0 not upgraded."
        echo "'http://mirror.example/debian/pool/a/a_2_all.deb' a_2_all.deb 33 MD5Sum:aa" ;;
    *--print-uris*build-dep*)
        echo "0 upgraded, 2 newly installed, {removed} to remove and 0 not upgraded."
        echo "'http://127.0.0.1:4000/pool/b/b_1%2b2_all.deb' b_1+2_all.deb 44 SHA256:bb"
        echo "'http://127.0.0.1:40001/pool/d/d_1_all.deb' d_1_all.deb 44 SHA256:dd"; exit {status} ;;
    *--simulate*build-dep*)
        echo "Inst b (1+2 testlab:trunk [all])"; echo "Inst d (1 x [all])"; echo "Remv c [1]"; echo "Conf b (1+2)" ;;
esac
"""
UPGRADED = "Inst 'http://mirror.example/debian/pool/a/a_2_all.deb' a_2_all.deb 33 MD5Sum:aa\n"
OTHER = "Inst 'http://127.0.0.1:40001/pool/d/d_1_all.deb' d_1_all.deb 44 SHA256:dd\n"


@pytest.mark.parametrize(
    "url, said, expected",
    [
        ("http://127.0.0.1:4000", (0, 0), [
            UPGRADED, "Inst testlab:/pool/b/b_1%2b2_all.deb' b_1+2_all.deb 44 SHA256:bb\n", OTHER]),
        ("http://127.0.0.1:4000/", (0, 0), [
            UPGRADED, "Inst testlab:/pool/b/b_1%2b2_all.deb' b_1+2_all.deb 44 SHA256:bb\n", OTHER]),
        ("", (0, 0), [
            UPGRADED, "Inst 'http://127.0.0.1:4000/pool/b/b_1%2b2_all.deb' b_1+2_all.deb 44 SHA256:bb\n", OTHER]),
        ("http://127.0.0x1:4000", (0, 0), [
            UPGRADED, "Inst 'http://127.0.0.1:4000/pool/b/b_1%2b2_all.deb' b_1+2_all.deb 44 SHA256:bb\n", OTHER]),
        ("http://127.0.0.1:4000", (1, 0), [
            UPGRADED, "Inst b (1+2 testlab:trunk [all])\n", "Inst d (1 x [all])\n", "Remv c [1]\n"]),
        ("http://127.0.0.1:4000", (10, 0), [
            UPGRADED, "Inst b (1+2 testlab:trunk [all])\n", "Inst d (1 x [all])\n", "Remv c [1]\n"]),
        ("http://127.0.0.1:4000", (0, 100), []),
    ],
    ids=["origin", "slash at the end", "no archive", "dot is a dot", "removal", "ten removals", "not installable"],
)  # fmt: skip
def test_resolve_script_prints_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: tuple[int, int], expected: list[str]
) -> None:
    """Where it cannot resolve, nothing is printed, and its words are on standard error."""
    fake = tmp_path / "apt-get"
    removed, status = said
    fake.write_text(APT.format(status=status, removed=removed))
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    repository = replace(REPOSITORY, url=url, origin="testlab") if url else None
    script = resolve_script(CONTROL, (), repository).replace("/tmp/source", str(tmp_path / "source"))
    script = script.replace("/etc/apt/", f"{tmp_path}/")
    for directory in ("trusted.gpg.d", "sources.list.d", "preferences.d"):
        (tmp_path / directory).mkdir()
    result = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (status, "".join(expected))
    assert ("b_1+2_all.deb" in result.stderr) is bool(status)
    assert (tmp_path / "source/debian/control").read_text() == CONTROL


def test_install_script_prints_only_command_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "apt-get"
    fake.write_text("#!/bin/sh\necho noise\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    script = install_script("greet", ["echo", "hello  there", "$HOME"], None)
    assert run(["sh", "-euc", script], capture=True).stdout == "hello  there $HOME\n"
