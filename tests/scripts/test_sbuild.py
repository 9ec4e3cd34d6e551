"""The step sbuild with a fake sbuild: its arguments, the cause of a failure, and retries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base import files
from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.run import run
from lab.config.components import BuildSettings
from lab.config.description import Lab
from lab.results import sbuild_log
from scripts import archive, content, sbuild
from scripts.archives import mirror_cache, serving
from scripts.chroots import sbuild_command
from scripts.chroots.bootstrap import Repository
from scripts.chroots.build_target import BuildTarget
from tests import fakes
from tests.conftest import Bench
from tests.fakes import Fakes, built
from tests.sbuildlogs import log

NATIVE = BuildTarget("amd64", "amd64")
FAILURE = log(build="make: *** [debian/rules:3: build] Error 2\ndpkg-buildpackage: error: it died\n")
KILLED = log(build="make: *** [debian/rules:3: build] Killed\ndpkg-buildpackage: error: it died\n")
SUCCESS = log(build="dh build\n", status="successful", seconds=21)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    monkeypatch.setattr(sbuild, "BACK_OFF_SECONDS", (0.0, 0.0))
    return fakes.install(tmp_path, monkeypatch)


def test_replacing_components_of_track(lab_factory: Callable[..., Lab]) -> None:
    assert serving.replacing(lab_factory(), "trunk") == ()
    assert serving.replacing(lab_factory(component={"version": {"replace_newer": True}}), "trunk") == ("greet",)


@pytest.fixture
def place(fake: Fakes, lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> Bench:
    """Return a run that is ready for the step, without access to a mirror."""
    build = {"options": ["nocheck", "parallel=2"], "profiles": ["nocheck", "nodoc"], "timeout_minutes": 1}
    return fakes.ready_to_build(lab_factory, bench, build)


def test_sbuild_argv() -> None:
    repository = Repository("http://127.0.0.1:8", "trunk", "KEY", "mylab")
    argv = sbuild_command.build_argv(
        Path("/s/source/greet_1.0.dsc"),
        mode="schroot",
        chroot="qalab-x",
        codename="bookworm",
        target=NATIVE,
        build_dir=Path("/s/build"),
        profiles=("nocheck", "nodoc"),
        repository=repository,
    )
    assert argv == [
        "sbuild",
        "--dist=bookworm",
        "--build=amd64",
        "--host=amd64",
        "--arch-all",
        "--no-source",
        "--chroot-mode=schroot",
        "--chroot=qalab-x",
        "--build-dir=/s/build",
        "--nolog",
        "--no-run-lintian",
        "--no-run-piuparts",
        "--no-run-autopkgtest",
        "--profiles=nocheck,nodoc",
        f"--chroot-setup-commands={repository.setup}",
        f"--chroot-setup-commands={mirror_cache.setup()}",
        Path("/s/source/greet_1.0.dsc"),
    ]


@pytest.mark.parametrize("ready", [True, False])
def test_a_chroot_that_has_all_is_left_as_it_is(*, ready: bool) -> None:
    argv = sbuild_command.build_argv(
        Path("/s/greet_1.0.dsc"), mode="schroot", chroot="x", codename="bookworm", target=NATIVE,
        build_dir=Path("/s/build"), repository=Repository("http://127.0.0.1:8", "trunk"), more=["ccache"], ready=ready,
    )  # fmt: skip
    assert ("--build-dep-resolver=null" in argv, "--no-apt-update" in argv) == (ready, ready)
    assert ("--add-depends=ccache" in argv, any("--chroot-setup" in str(word) for word in argv)) == (not ready,) * 2


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, "$build_environment = {  };"),
        ({"options": ("nocheck",)}, "$build_environment = { 'DEB_BUILD_OPTIONS' => q(nocheck) };"),
        ({"ccache": True}, "'CCACHE_DIR' => q(/var/cache/ccache)"),
        ({"ccache": True}, "$path = '/usr/lib/ccache:/usr/local/sbin:"),
    ],
)
def test_sbuild_configuration_is_perl(options: dict[str, Any], expected: str, tmp_path: Path) -> None:
    text = sbuild_command.configuration(BuildSettings(**options, timeout_minutes=90), "schroot", Path("/var/tmp/x"))
    assert expected in text
    path = tmp_path / "sbuildrc"
    path.write_text(f"use strict; my ($build_user, $build_environment, $bd_uninstallable_explainer, "
                    f"$stalled_pkg_timeout, $unshare_tmpdir_template, $path);\n{text}")  # fmt: skip
    assert run(["perl", "-c", path], check=False)


@pytest.mark.parametrize(
    "settings, mounts, more",
    [
        ({}, [], ()),
        ({"tmpfs": 4}, ["tmpfs /build tmpfs size=4G,mode=0755 0 0"], ()),
        ({"ccache": True}, ["{cache}/ccache/mylab/greet /var/cache/ccache none rw,bind 0 0"], ("ccache",)),
    ],
)
def test_mounts_and_packages_of_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, Any], mounts: list[str], more: tuple[str, ...]
) -> None:
    monkeypatch.setattr("os.chown", lambda *_: None)
    build = BuildSettings(**settings)
    cache = tmp_path / "cache/qalab"
    assert sbuild_command.mounts("mylab", "greet", build) == [line.format(cache=cache) for line in mounts]
    assert (cache / "ccache/mylab/greet").is_dir() is build.ccache
    assert sbuild_command.more_packages(build) == more


@pytest.mark.parametrize("settings", [{"tmpfs": 4}, {"ccache": True}])
def test_schroot_settings_are_refused_in_unshare_mode(settings: dict[str, Any]) -> None:
    sbuild_command.check_mode("greet", BuildSettings(**settings), "schroot")
    with pytest.raises(ConfigurationError, match=rf"build\.{next(iter(settings))} of greet: needs schroot mode"):
        sbuild_command.check_mode("greet", BuildSettings(**settings), "unshare")
    sbuild_command.check_mode("greet", BuildSettings(), "unshare")


def test_foreign_package_is_skipped_without_chroot(place: Bench, fake: Fakes) -> None:
    path = place.run.out / "greet_1.0.dsc"
    path.write_text(path.read_text().replace("Architecture: any", "Architecture: s390x hurd-any"))
    record = place.execute(sbuild)
    assert (record.verdict, record.message) == ("skipped", "not for amd64: the package is for s390x hurd-any")
    assert (fake.calls("sbuild"), fake.calls("mmdebstrap")) == ([], [])
    place.pretend("lintian")
    assert place.execute(content).verdict == "skipped"
    archived = place.execute(archive)
    assert (archived.verdict, archived.message) == ("skipped", "nothing was built")


def test_foreign_series_architecture_is_refused(
    fake: Fakes, lab_factory: Callable[..., Lab], bench: Callable[..., Bench]
) -> None:
    series = {"bookworm": {"mirror": "http://127.0.0.1:9/debian", "architectures": ["s390x"]}}
    place = fakes.ready_to_build(lab_factory, bench, {}, series=series)
    record = place.execute(sbuild)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert record.message.startswith("this machine builds for amd64, and not for s390x (series.bookworm.architectures")
    assert fake.calls("mmdebstrap") == []


BOTH = {"bookworm": {"mirror": "http://127.0.0.1:9/debian", "architectures": ["amd64", "arm64"]}}


@pytest.mark.integration
def test_cross_build_follows_native_build(
    fake: Fakes, lab_factory: Callable[..., Lab], bench: Callable[..., Bench]
) -> None:
    place = fakes.ready_to_build(lab_factory, bench, {}, series=BOTH)
    fake.sbuild(SUCCESS, files=built(), call=1)
    fake.sbuild(log(build="dh build\n", status="successful", seconds=5), files=built(architecture="arm64"), call=2)
    record = place.execute(sbuild)
    assert record.verdict == "passed"
    assert record.message.startswith("built 1 package in 21 s; ")
    assert "; arm64: built 1 package in 5 s" in record.message
    assert {item.path for item in record.artifacts if item.kind == "binary"} == {
        "out/greet_1.0_all.deb",
        "out/greet_1.0_arm64.deb",
    }
    assert (record.facts["architectures"], record.facts["build_seconds"]) == (["amd64", "arm64"], 21)
    assert {"--build=amd64", "--host=arm64", "--no-arch-all", "--profiles=cross,nocheck"} <= {*fake.argv()}
    assert "q(nocheck)" in (fake.bin / "sbuild.configuration").read_text()
    assert (place.run.results / "native/sbuild.arm64.build").exists()


@pytest.mark.integration
def test_failed_cross_build_fails_the_step(
    fake: Fakes, lab_factory: Callable[..., Lab], bench: Callable[..., Bench]
) -> None:
    place = fakes.ready_to_build(lab_factory, bench, {}, series=BOTH)
    fake.sbuild(FAILURE, 2)
    fake.sbuild(SUCCESS, files=built(), call=1)
    record = place.execute(sbuild)
    message = "arm64: build failed: make: *** [debian/rules:3: build] Error 2"
    assert (record.verdict, record.message, record.artifacts) == ("failed", message, ())
    assert [item.path for item in record.native] == ["results/native/sbuild.arm64.build"]


def test_new_symbols_are_reported(place: Bench, fake: Fakes) -> None:
    diff = "--- debian/g.symbols\n+++ dpkg-gensymbolsX\n@@ -1 +1 @@\n+ greet@Base 1.1\n+ hail@Base 1.1\n"
    fake.sbuild(log(build=diff, status="successful", seconds=21), files=built())
    record = place.execute(sbuild)
    assert record.message.startswith("built 1 package in 21 s; 2 new symbols: greet, hail; chroot made, ")
    assert record.facts["new_symbols"] == ["greet", "hail"]


def test_successful_build_is_recorded(place: Bench, fake: Fakes) -> None:
    fake.sbuild(SUCCESS, files=built())
    record = place.execute(sbuild)
    assert (record.verdict, record.exit_code, record.version) == ("passed", 0, "1.0")
    assert record.message.startswith("built 1 package in 21 s; chroot made, ")
    assert [(item.path, item.kind) for item in record.artifacts] == [
        ("out/greet_1.0_all.deb", "binary"),
        ("out/greet_1.0_amd64.buildinfo", "buildinfo"),
        ("out/greet_1.0_amd64.changes", "changes"),
    ]
    assert (place.run.out / "greet_1.0_all.deb").read_text() == "a package\n"
    assert [(native.path, native.format) for native in record.native] == [("results/native/sbuild.build", "sbuild")]
    assert (place.run.path / "results/native/sbuild.build").read_text() == sbuild_log.ended(SUCCESS, 0)
    expected = {"attempts": 1, "status": "successful", "fail_stage": "", "build_seconds": 21, "install_seconds": 3}
    assert {name: record.facts[name] for name in expected} == expected
    assert record.facts["chroot"]["reused"] is False
    assert record.facts["installed"] == {"bash": "5.2.15-2+b7", "make": "4.3-4.1"}
    assert record.facts["new_symbols"] == []
    argv = fake.argv()
    assert argv[-1].endswith("/source/greet_1.0.dsc")
    assert "--profiles=nocheck,nodoc" in argv
    setup = [word for word in argv if "--chroot-setup-commands" in word]
    assert {*setup} <= {f"--chroot-setup-commands={mirror_cache.setup()}"}  # the archive has nothing yet
    assert "q(nocheck parallel=2)" in (fake.bin / "sbuild.configuration").read_text()


@pytest.mark.integration
def test_repeated_build_reuses_chroot(place: Bench, fake: Fakes) -> None:
    first, second = place.execute(sbuild), place.execute(sbuild)
    assert first.artifacts == second.artifacts
    assert second.facts["chroot"]["reused"] is True
    assert second.message.split("; ")[1].startswith("chroot reused, ")
    assert len(fake.calls("mmdebstrap")) == 1


@pytest.mark.integration
@pytest.mark.parametrize(
    "text, status, expected",
    [
        (FAILURE, 2, "build failed: make: *** [debian/rules:3: build] Error 2"),
        (log(before="E: dsc: amd64 not in arch list\n", status="skipped", stage="arch-check"), 0,
         "dsc: amd64 not in arch list"),
    ],
)  # fmt: skip
def test_package_failure_is_not_retried(place: Bench, fake: Fakes, text: str, status: int, expected: str) -> None:
    fake.sbuild(text, status)
    record = place.execute(sbuild)
    assert (record.verdict, record.exit_code, record.message) == ("failed", 1, expected)
    assert len(fake.calls("sbuild")) == 1
    assert record.artifacts == ()
    assert (place.run.path / record.native[0].path).read_text() == sbuild_log.ended(text, status)
    assert place.log("sbuild").endswith(f"failed: {expected}\n")


@pytest.mark.integration
def test_lab_error_is_retried_three_times(place: Bench, fake: Fakes) -> None:
    fake.sbuild(KILLED, 2)
    record = place.execute(sbuild)
    expected = "the build was killed: make: *** [debian/rules:3: build] Killed (tried 3 times)"
    assert (record.verdict, record.exit_code, record.message) == ("error", 3, expected)
    assert record.facts["attempts"] == len(fake.calls("sbuild")) == 3


@pytest.mark.integration
def test_lab_error_passes_at_retry(place: Bench, fake: Fakes) -> None:
    fake.sbuild("sbuild: no luck\n", 1, call=1)
    fake.sbuild(SUCCESS, files=built())
    record = place.execute(sbuild)
    assert (record.verdict, record.facts["attempts"]) == ("passed", 2)
    assert "the lab's fault: sbuild ended with status 1 and no summary: sbuild: no luck; trying again" in (
        place.log("sbuild")
    )
    assert (place.run.path / "results/native/sbuild.build").read_text() == sbuild_log.ended(SUCCESS, 0)


def test_full_disk_is_not_retried(place: Bench, fake: Fakes, tmp_path: Path) -> None:
    fake.sbuild(log(build="tar: No space left on device\ndpkg-buildpackage: error: x\n"), 2)
    record = place.execute(sbuild)
    assert (record.verdict, record.facts["attempts"]) == ("error", 1)
    assert record.message.startswith("No space left on device: the disk of /")


@pytest.mark.integration
def test_incomplete_package_is_not_collected(place: Bench, fake: Fakes) -> None:
    """sbuild does not detect that a package is truncated."""
    fake.sbuild(SUCCESS, files=built() | {"greet_1.0_all.deb": "a pack"})
    record = place.execute(sbuild)
    expected = "greet_1.0_all.deb is not what greet_1.0_amd64.changes says it is (tried 3 times)"
    assert (record.verdict, record.message) == ("error", expected)
    assert not (place.run.out / "greet_1.0_all.deb").exists()


@pytest.mark.parametrize("names", [[], ["one.changes", "two.changes"]])
def test_collect_takes_one_changes_file(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("")
    with pytest.raises(InfrastructureError, match=rf"sbuild left {len(names)} \.changes files instead of one"):
        sbuild.collect(tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["../victim", "/etc/victim", "a/../../victim", "a/b.deb"])
def test_collect_takes_no_file_from_elsewhere(tmp_path: Path, name: str) -> None:
    """The build writes the .changes."""
    made, out = tmp_path / "made", tmp_path / "run/out"
    for directory in (made / "a", out):
        directory.mkdir(parents=True)
    (tmp_path / "victim").write_text("mine\n")
    (made / "a/b.deb").write_text("mine\n")
    digest = files.sha256(tmp_path / "victim")
    (made / "greet.changes").write_text(f"Source: greet\nChecksums-Sha256:\n {digest} 5 {name}\n")
    with pytest.raises(Failed, match="which is no name of a file"):
        sbuild.collect(made, out)
    assert [path.name for path in (tmp_path / "run").rglob("*")] == ["out"]


@pytest.mark.integration
@pytest.mark.parametrize(
    "text, expected",
    [("\nCommand: dpkg-buildpackage -b\nsleep\n", ("failed", 1)), ("Get:1 http://mirror\n", ("error", 3))],
)
def test_timeout_of_build_and_of_mirror(
    place: Bench, fake: Fakes, monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[str, int]
) -> None:
    """A build that hangs is failed, a mirror that hangs is an error."""
    fake.sbuild(text, seconds=600)
    for seconds in (0.3, 3, 30):  # until the fake has printed something
        monkeypatch.setattr(sbuild, "MINUTE_SECONDS", seconds)
        record = place.execute(sbuild)
        if text in place.log("sbuild"):
            break
    assert (record.verdict, record.facts["attempts"]) == expected
    assert record.message.startswith("the build did not end within 1 min")


def test_chroot_creation_failure_is_retried(place: Bench, fake: Fakes) -> None:
    fake.write("mmdebstrap.status", 1)
    fake.write(
        "mmdebstrap.says", "E: Failed to fetch http://127.0.0.1:9/debian  Could not connect\nE: apt-get failed\n"
    )
    record = place.execute(sbuild)
    expected = "series bookworm: no chroot could be made: Failed to fetch http://127.0.0.1:9/debian  Could not connect"
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert record.message == " ".join(f"{expected} (tried 3 times)".split())
    assert record.facts["attempts"] == len(fake.calls("mmdebstrap")) == 3


def test_missing_program(place: Bench, fake: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake.bin / "sbuild").unlink()
    for name in ("dpkg", "gpg", "sh"):
        (fake.bin / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(fake.bin))
    record = place.execute(sbuild)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert record.message.startswith("the program sbuild is not on this machine (apt-get install sbuild")


def test_missing_source_step_is_refused(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> None:
    record = bench(lab_factory()).execute(sbuild)
    assert (record.exit_code, "the step source comes first" in record.message) == (2, True)


def test_step_runs_alone(place: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sbuild.main(["--lab", str(tmp_path / "lab.yaml"), "--run", str(place.run.path)]) == 0
    assert "sbuild: passed: built 1 package" in capsys.readouterr().out
    with pytest.raises(ConfigurationError):
        sbuild.main(["--lab", str(tmp_path / "none.yaml"), "--run", str(place.run.path)])
