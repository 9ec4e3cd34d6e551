"""The apt sources of a series: the settings in their order, and the error without any."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from lab.config import apt
from lab.config.description import Series

DEBIAN, UBUNTU = Series(), Series(distribution="ubuntu")
# What `apt-get indextargets` prints of a machine with both distributions; the last has not been updated yet.
TARGETS = """\
http://third.example/repo/ Third Party
http://security.example/debian-security/ Debian-Security
http://deb.example/debian/ Debian
http://deb.example/debian/ Debian
http://ubuntu.example/ubuntu Ubuntu
http://new.example/
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``machine(text)``: a machine whose apt-get prints this text for its index targets."""

    def make(text: str) -> None:
        (tmp_path / "targets").write_text(text)
        program = tmp_path / "bin" / "apt-get"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/sh\n"
            "while case $1 in -o*) ;; *) false ;; esac; do shift; done\n"
            "[ \"$*\" = 'indextargets --format $(REPO_URI) $(LABEL) Created-By: Packages' ] || exit 9\n"
            f"cat {tmp_path}/targets\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return make


@pytest.mark.parametrize(
    "targets, distribution, security, url",
    [
        (TARGETS, "debian", False, "http://deb.example/debian"),
        (TARGETS, "debian", True, "http://security.example/debian-security"),
        (TARGETS, "ubuntu", False, "http://ubuntu.example/ubuntu"),
        (TARGETS, "ubuntu", True, "http://ubuntu.example/ubuntu"),
        ("http://deb.example/debian/ Debian\n", "ubuntu", False, None),
        ("", "debian", False, None),
    ],
)
def test_machine_mirror_from_apt(
    machine: Callable[[str], None], *, targets: str, distribution: str, security: bool, url: str | None
) -> None:
    machine(targets)
    assert apt.machine_mirror(distribution, security=security) == url


@pytest.mark.integration
def test_machine_mirror_where_no_cache_can_be_kept(machine: Callable[[str], None], tmp_path: Path) -> None:
    """apt answers with an error for a cache on a full disk."""
    machine(TARGETS)
    program = tmp_path / "bin" / "apt-get"
    full = "#!/bin/sh\ncase $1 in -oDir::Cache=*) echo 'E: No space left on device' >&2; exit 100 ;; esac\n"
    program.write_text(program.read_text().replace("#!/bin/sh\n", full))
    assert apt.machine_mirror("debian") == "http://deb.example/debian"


def test_machine_mirror_from_real_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "apt-get").symlink_to("/usr/bin/apt-get")  # no test before this one has asked it
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    url = apt.machine_mirror("debian")
    assert url is None or (":/" in url and not url.endswith("/"))
    assert (tmp_path / "cache/qalab/apt/pkgcache.bin").exists()  # the next process does not read all indices


def test_mirror_precedence(machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    machine(TARGETS)
    named = Series(mirror="http://named.example/debian")
    assert apt.mirror("bookworm", DEBIAN) == "http://deb.example/debian"
    monkeypatch.setenv("QALAB_MIRROR_DEBIAN", "http://env.example/debian")
    assert apt.mirror("bookworm", DEBIAN) == "http://env.example/debian"
    assert apt.mirror("noble", UBUNTU) == "http://ubuntu.example/ubuntu"
    assert apt.mirror("bookworm", named) == "http://named.example/debian"


def test_mirror_unknown_is_an_error(machine: Callable[[str], None]) -> None:
    machine("http://deb.example/debian/ Debian\n")
    with pytest.raises(ConfigurationError) as caught:
        apt.mirror("noble", UBUNTU)
    assert str(caught.value) == (
        "series noble: this machine's apt knows no mirror of ubuntu (name it as series.noble.mirror in lab.yaml, "
        "or in the variable QALAB_MIRROR_UBUNTU; try apt-get update)"
    )


def test_keyring_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "ring.gpg").touch()
    assert apt.keyring("x", Series(keyring=str(tmp_path / "ring.gpg"))) == tmp_path / "ring.gpg"
    with pytest.raises(ConfigurationError) as caught:
        apt.keyring("sid", Series(keyring=str(tmp_path / "none.gpg")))
    assert str(caught.value) == (
        f"series sid: no keyring {tmp_path}/none.gpg (apt-get install debian-archive-keyring, or name series.sid.keyring)"
    )


@pytest.mark.parametrize(
    "series, kind, expected",
    [
        ({}, "deb", ["deb [signed-by=K] http://deb.example/debian bookworm main"]),
        ({"codename": "trixie", "components": ("main", "contrib")}, "deb-src",
         ["deb-src [signed-by=K] http://deb.example/debian trixie main contrib"]),
        ({"pockets": ("updates", "security")}, "deb",
         ["deb [signed-by=K] http://deb.example/debian bookworm main",
          "deb [signed-by=K] http://deb.example/debian bookworm-updates main",
          "deb [signed-by=K] http://security.example/debian-security bookworm-security main"]),
        ({"distribution": "ubuntu", "codename": "noble", "pockets": ("updates", "security")}, "deb",
         ["deb [signed-by=K] http://ubuntu.example/ubuntu noble main",
          "deb [signed-by=K] http://ubuntu.example/ubuntu noble-updates main",
          "deb [signed-by=K] http://ubuntu.example/ubuntu noble-security main"]),
    ],
)  # fmt: skip
def test_sources_lines(
    machine: Callable[[str], None], tmp_path: Path, *, series: dict[str, object], kind: str, expected: list[str]
) -> None:
    machine(TARGETS)
    ring = tmp_path / "ring.gpg"
    ring.touch()
    lines = apt.sources("bookworm", Series(keyring=str(ring), **series), kind=kind)  # type: ignore[arg-type]
    assert [line.replace(str(ring), "K") for line in lines] == expected


def test_sources_security_of_own_mirror(machine: Callable[[str], None], tmp_path: Path) -> None:
    machine("")
    (tmp_path / "ring.gpg").touch()
    series = Series(mirror="http://own.example/debian", pockets=("security",), keyring=str(tmp_path / "ring.gpg"))
    assert apt.sources("bookworm", series)[1].endswith(" http://own.example/debian-security bookworm-security main")


CLOUD = {"url": "http://ubuntu-cloud.example/ubuntu/", "suite": "noble-updates/epoxy"}


@pytest.mark.parametrize(
    "archives, kind, expected",
    [
        ([CLOUD], "deb", ["deb [signed-by=C] http://ubuntu-cloud.example/ubuntu noble-updates/epoxy main"]),
        ([CLOUD | {"components": ["main", "extra"]}], "deb-src",
         ["deb-src [signed-by=C] http://ubuntu-cloud.example/ubuntu noble-updates/epoxy main extra"]),
        ([CLOUD, CLOUD | {"suite": "noble-proposed/epoxy"}], "deb",
         ["deb [signed-by=C] http://ubuntu-cloud.example/ubuntu noble-updates/epoxy main",
          "deb [signed-by=C] http://ubuntu-cloud.example/ubuntu noble-proposed/epoxy main"]),
    ],
)  # fmt: skip
def test_sources_of_further_archives(
    tmp_path: Path, *, archives: list[dict[str, object]], kind: str, expected: list[str]
) -> None:
    for name in ("ring.gpg", "cloud.gpg"):
        (tmp_path / name).touch()
    series = Series.model_validate_json(json.dumps({
        "distribution": "ubuntu", "mirror": "http://ubuntu.example/ubuntu", "pockets": ["updates"],
        "keyring": str(tmp_path / "ring.gpg"),
        "archives": [{"keyring": str(tmp_path / "cloud.gpg"), **each} for each in archives],
    }))  # fmt: skip
    lines = [line.replace(str(tmp_path / "cloud.gpg"), "C") for line in apt.sources("noble", series, kind=kind)]
    assert lines[2:] == expected
    assert apt.keyrings("noble", series) == (tmp_path / "ring.gpg", *[tmp_path / "cloud.gpg"] * len(archives))


def test_missing_keyring_of_a_further_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "ring.gpg").touch()
    series = Series.model_validate_json(json.dumps({
        "keyring": str(tmp_path / "ring.gpg"), "archives": [CLOUD | {"keyring": f"{tmp_path}/none.gpg"}],
    }))  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        apt.sources("noble", series)
    hint = "apt-get install ubuntu-keyring, which Debian has from 13 on"
    assert str(caught.value) == f"series.noble.archives.0.keyring: no keyring {tmp_path}/none.gpg ({hint})"


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"url": "ppa:me/that"}, "not the URL of an archive"),
        ({"suite": "noble updates"}, "not a suite"),
        ({"suite": ""}, "not a suite"),
        ({"keyring": "relative.gpg"}, "not a plain absolute path"),
        ({"components": []}, "at least 1 item"),
    ],
)
def test_further_archive_that_apt_cannot_use_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Series.model_validate_json(json.dumps({"archives": [CLOUD | {"keyring": "/usr/share/keyrings/c.gpg"} | wrong]}))
