"""What sbuild's log says: logs of real builds, cut to what tells."""

from __future__ import annotations

import pytest

from scripts.buildlogs import Judgement, build_output, complaint, judge, summary, telling, unmet
from tests.sbuildlogs import log

APT = """\
Building dependency tree...
The following information may help to resolve the situation:

The following packages have unmet dependencies:
{lines}E: Unable to correct problems, you have held broken packages.
apt-get failed.
E: Package installation failed
"""
DUMMY = " sbuild-build-depends-main-dummy : Depends: "
BROKEN = """\
dpkg-buildpackage: info: source package greet
 debian/rules build
make[1]: Entering directory '/<<PKGBUILDDIR>>'
gcc -c greet.c
greet.c:12:3: error: expected ';' before 'return'
other.c:1:1: error: this is the second one
make[1]: *** [debian/rules:6: override_dh_auto_build] Error 1
make[1]: Leaving directory '/<<PKGBUILDDIR>>'
make: *** [debian/rules:3: build] Error 2
dpkg-buildpackage: error: debian/rules build subprocess returned exit status 2
"""


@pytest.mark.parametrize(
    "text, status, expected",
    [
        (log(build="dh build\n", status="successful"), 0, Judgement("passed")),
        (
            log(build=BROKEN),
            2,
            Judgement(
                "failed",
                "build failed: greet.c:12:3: error: expected ';' before 'return' "
                "(make[1]: *** [debian/rules:6: override_dh_auto_build] Error 1)",
            ),
        ),
        (
            log(before=APT.format(lines=f"{DUMMY}nonexistent (>= 2) but it is not installable\n"), stage="install-deps"),
            3,
            Judgement("failed", "unsatisfiable build dependencies: nonexistent (>= 2) but it is not installable"),
        ),
        (
            log(before="E: dsc: amd64 not in arch list -- skipping\n", status="skipped", stage="arch-check"),
            0,
            Judgement("failed", "dsc: amd64 not in arch list -- skipping"),
        ),
        (
            log(before="dpkg-source: error: bad\nE: FAILED [dpkg-source died]\n", status="given-back", stage="unpack"),
            3,
            Judgement("failed", "FAILED [dpkg-source died]"),
        ),
        (
            log(build="sleep 900\nE: Build killed with signal TERM after 120 minutes of inactivity\n"),
            2,
            Judgement("failed", "Build killed with signal TERM after 120 minutes of inactivity"),
        ),
        (
            log(
                before="E: Failed to fetch http://127.0.0.1:1/debian/dists/sid/InRelease  Could not connect\n"
                "E: Some index files failed to download.\nE: apt-get update failed\n",
                status="given-back",
                stage="apt-get-update",
            ),
            3,
            Judgement(
                "error",
                "sbuild failed at apt-get-update: "
                "Failed to fetch http://127.0.0.1:1/debian/dists/sid/InRelease  Could not connect",
                again=True,
            ),
        ),
        (
            log(before="E: Failed to fetch http://m/a.deb  Hash Sum mismatch\n", stage="install-deps"),
            3,
            Judgement(
                "error", "sbuild failed at install-deps: Failed to fetch http://m/a.deb  Hash Sum mismatch", again=True
            ),
        ),
        (
            log(build="cc: fatal error: Killed signal terminated program cc1\ndpkg-buildpackage: error: x\n"),
            2,
            Judgement(
                "error", "the build was killed: cc: fatal error: Killed signal terminated program cc1", again=True
            ),
        ),
        (
            log(build="make[1]: *** [debian/rules:5: build] Killed\ndpkg-buildpackage: error: x\n"),
            2,
            Judgement("error", "the build was killed: make[1]: *** [debian/rules:5: build] Killed", again=True),
        ),
        (
            log(build="dpkg-buildpackage: error: debian/rules build subprocess was killed by signal 9\n"),
            2,
            Judgement(
                "error",
                "the build was killed: dpkg-buildpackage: error: debian/rules build subprocess was killed by signal 9",
                again=True,
            ),
        ),
        (
            log(build="dh build\n"),
            2,
            Judgement("error", "the build was killed: dpkg-buildpackage ended without a word", again=True),
        ),
        (
            log(build="cp: cannot copy: No space left on device\ndpkg-buildpackage: error: x\n"),
            2,
            Judgement("error", "No space left on device"),
        ),
        (
            log(
                before="E: Disk space is probably not sufficient for building.\n",
                stage="check-space",
                status="given-back",
            ),
            3,
            Judgement("error", "No space left on device"),
        ),
        (
            log(before="E: Chroot setup failed\n", stage="create-session", status="failed"),
            1,
            Judgement("error", "sbuild failed at create-session: Chroot setup failed", again=True),
        ),
        ("sbuild: E: no such user\n", 1, Judgement("error", "sbuild ended with status 1 and no summary: sbuild: E: no such user", again=True)),
        ("", -9, Judgement("error", "sbuild ended with status -9 and no summary: it did not say why", again=True)),
    ],
)  # fmt: skip
def test_judge(text: str, status: int, expected: Judgement) -> None:
    judged = judge(text, status)
    assert (judged.verdict, judged.message, judged.again) == (expected.verdict, expected.message, expected.again)


def test_a_package_cannot_write_the_summary() -> None:
    """What a build prints is not taken for what sbuild says of it."""
    printed = f"\n| Summary |\nStatus: successful\n\nBuild finished at noon\n{BROKEN}"
    assert judge(log(build=printed), 2).message.startswith("build failed: greet.c:12:3: error:")


def test_success_needs_the_exit_status_too() -> None:
    assert judge(log(build="", status="successful"), 1).verdict == "error"


def test_summary() -> None:
    expected = {"Build-Time": "7", "Fail-Stage": "build", "Install-Time": "3", "Status": "attempted"}
    assert summary(log(build=BROKEN)) == expected
    assert summary("no summary\nStatus: successful\n") == {}


@pytest.mark.parametrize(
    "lines, expected",
    [
        ("", ""),
        (f"{DUMMY}bash (>= 99) but 5.2 is to be installed\n", "bash (>= 99) but 5.2 is to be installed"),
        (
            f"{DUMMY}a but it is not installable\n{' ' * 35}Depends: b (>= 2) but it is not installable\n",
            "a but it is not installable; b (>= 2) but it is not installable",
        ),
        (" libfoo-dev : Depends: libfoo1 (= 1) but 2 is to be installed\n",
         "libfoo-dev : Depends: libfoo1 (= 1) but 2 is to be installed"),
    ],
)  # fmt: skip
def test_unmet(lines: str, expected: str) -> None:
    assert unmet(APT.format(lines=lines)) == expected


@pytest.mark.parametrize(
    "said, expected",
    [
        ([], ""),
        (["dh build", "dpkg-buildpackage: error: it died"], "dpkg-buildpackage: error: it died"),
        (["make: *** [Makefile:3: all] Error 1"], "make: *** [Makefile:3: all] Error 1"),
        (["FAIL: tests/one", "make: *** [check] Error 1"], "FAIL: tests/one (make: *** [check] Error 1)"),
        (["dh_missing: error: missing files, aborting", "make: *** [binary] Error 25"],
         "dh_missing: error: missing files, aborting (make: *** [binary] Error 25)"),
        (["dh_auto_test: error: make check returned exit code 2", "make: *** [build] Error 25"],
         "make: *** [build] Error 25"),
        (["E   AssertionError: Error", "dpkg-buildpackage: error: x"],
         "E   AssertionError: Error (dpkg-buildpackage: error: x)"),
        (["make: frobnicate: No such file or directory", "make: *** [debian/rules:3: clean] Error 127"],
         "make: frobnicate: No such file or directory (make: *** [debian/rules:3: clean] Error 127)"),
        (["make[1]: Entering directory '/build/error'", "make: *** [all] Error 1"], "make: *** [all] Error 1"),
        (["debian/rules:2: *** missing separator.  Stop.", "dpkg-buildpackage: error: x"],
         "debian/rules:2: *** missing separator.  Stop. (dpkg-buildpackage: error: x)"),
        (["/usr/bin/fakeroot: 175: debian/rules: not found", "dpkg-buildpackage: error: x"],
         "/usr/bin/fakeroot: 175: debian/rules: not found (dpkg-buildpackage: error: x)"),
        (["an old error: not in the end", *["..."] * 300, "make: *** [all] Error 1"], "make: *** [all] Error 1"),
        (["x" * 300 + " error: long"], ("x" * 300)[:200]),
    ],
)  # fmt: skip
def test_telling(said: list[str], expected: str) -> None:
    assert telling(said) == expected


def test_build_output_is_that_of_dpkg_buildpackage() -> None:
    assert build_output(log(before="apt\n", build="one\ntwo\n"))[-3:-1] == ["one", "two"]
    assert build_output(log(before="apt\n")) == []


@pytest.mark.parametrize(
    "said, expected",
    [
        ([], "it did not say why"),
        (["one", "two"], "two"),
        (["E: first", "E: second", "three"], "first"),
        (["tar: ./usr: No space left on device", "E: tar failed"], "tar: ./usr: No space left on device"),
        (["E: apt-get update failed", "E: Failed to fetch http://m  404"], "Failed to fetch http://m  404"),
    ],
)
def test_complaint(said: list[str], expected: str) -> None:
    assert complaint(said) == expected
