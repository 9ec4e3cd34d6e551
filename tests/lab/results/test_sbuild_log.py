"""sbuild's log: logs of real builds, cut to the lines that matter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.results.sbuild_log import build_output, ended, is_log, new_symbols, package_versions, read, timed_out
from tests.sbuildlogs import log

SAMPLES = Path(__file__).parent.parent.parent / "data/formats/sbuild"
# Those of Debian 12; later ones have dated headings.
PLAIN = sorted(path for path in SAMPLES.glob("*.log") if not path.name.startswith(("trixie", "sid")))

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
        (log(build="dh build\n", status="successful"), 0, ("passed", "")),
        (
            log(build=BROKEN),
            2,
            (
                "failed",
                ("build failed: greet.c:12:3: error: expected ';' before 'return' "
                "(make[1]: *** [debian/rules:6: override_dh_auto_build] Error 1)"),
            ),
        ),
        (
            log(before=APT.format(lines=f"{DUMMY}nonexistent (>= 2) but it is not installable\n"), stage="install-deps"),
            3,
            ("failed", "unsatisfiable build dependencies: nonexistent (>= 2) but it is not installable"),
        ),
        (
            log(before="E: dsc: amd64 not in arch list -- skipping\n", status="skipped", stage="arch-check"),
            0,
            ("failed", "dsc: amd64 not in arch list -- skipping"),
        ),
        (
            log(before="dpkg-source: error: bad\nE: FAILED [dpkg-source died]\n", status="given-back", stage="unpack"),
            3,
            ("failed", "FAILED [dpkg-source died]"),
        ),
        (
            log(build="sleep 900\nE: Build killed with signal TERM after 120 minutes of inactivity\n"),
            2,
            ("failed", "Build killed with signal TERM after 120 minutes of inactivity"),
        ),
        (
            log(
                before="E: Failed to fetch http://127.0.0.1:1/debian/dists/sid/InRelease  Could not connect\n"
                "E: Some index files failed to download.\nE: apt-get update failed\n",
                status="given-back",
                stage="apt-get-update",
            ),
            3,
            (
                "error",
                ("sbuild failed at apt-get-update: "
                "Failed to fetch http://127.0.0.1:1/debian/dists/sid/InRelease  Could not connect"),
            ),
        ),
        (
            log(before="E: Failed to fetch http://m/a.deb  Hash Sum mismatch\n", stage="install-deps"),
            3,
            (
                "error", "sbuild failed at install-deps: Failed to fetch http://m/a.deb  Hash Sum mismatch"
            ),
        ),
        (
            log(build="cc: fatal error: Killed signal terminated program cc1\ndpkg-buildpackage: error: x\n"),
            2,
            (
                "error", "the build was killed: cc: fatal error: Killed signal terminated program cc1"
            ),
        ),
        (
            log(build="make[1]: *** [debian/rules:5: build] Killed\ndpkg-buildpackage: error: x\n"),
            2,
            ("error", "the build was killed: make[1]: *** [debian/rules:5: build] Killed"),
        ),
        (
            log(build="dpkg-buildpackage: error: debian/rules build subprocess was killed by signal 9\n"),
            2,
            (
                "error",
                "the build was killed: dpkg-buildpackage: error: debian/rules build subprocess was killed by signal 9",
            ),
        ),
        (
            log(build="dh build\n"),
            2,
            ("error", "the build was killed: dpkg-buildpackage ended without a message"),
        ),
        (
            log(build="cp: cannot copy: No space left on device\ndpkg-buildpackage: error: x\n"),
            2,
            ("error", "No space left on device"),
        ),
        (
            log(
                before="E: Disk space is probably not sufficient for building.\n",
                stage="check-space",
                status="given-back",
            ),
            3,
            ("error", "No space left on device"),
        ),
        (
            log(before="E: Chroot setup failed\n", stage="create-session", status="failed"),
            1,
            ("error", "sbuild failed at create-session: Chroot setup failed"),
        ),
        ("sbuild: E: no such user\n", 1, ("error", "sbuild ended with status 1 and no summary: sbuild: E: no such user")),
        ("", -9, ("error", "sbuild ended with status -9 and no summary: it did not say why")),
    ],
)  # fmt: skip
def test_verdict_of_log(text: str, status: int, expected: tuple[str, str]) -> None:
    reading = read(ended(text, status))
    assert (reading.verdict, reading.message) == expected


def test_summary_is_not_taken_from_build_output() -> None:
    """The output of the build is not read as the summary of sbuild."""
    printed = f"\n| Summary |\nStatus: successful\n\nBuild finished at noon\n{BROKEN}"
    assert read(ended(log(build=printed), 2)).message.startswith("build failed: greet.c:12:3: error:")


def test_success_needs_exit_status() -> None:
    assert read(ended(log(build="", status="successful"), 1)).verdict == "error"


def test_summary_fields() -> None:
    expected = {"Build-Time": "7", "Fail-Stage": "build", "Install-Time": "3", "Status": "attempted"}
    assert read(log(build=BROKEN)).summary == expected | {"Package": "greet", "Version": "1.0"}
    assert read("no summary\nStatus: successful\n").summary == {}


@pytest.mark.parametrize("end", range(0, len(log(build="dh build\n", status="successful")) - 110, 50))
def test_truncated_log_is_an_error(end: int) -> None:
    whole = log(build="dh build\n", status="successful")
    for text in (whole[:end], ended(whole[:end], -9), ended(whole[:end], 1)):
        assert read(text).verdict == "error"


def test_stages_and_seconds() -> None:
    reading = read(log(build=BROKEN))
    assert (reading.stage, reading.passed_stages, reading.package) == ("build", ("install-deps",), "greet")
    assert (reading.seconds("install-deps"), reading.seconds("build"), reading.seconds("unpack")) == (3, 7, 0)
    assert read(log(build="", status="successful")).passed_stages == ("install-deps", "build")
    assert read(log(stage="install-deps")).passed_stages == ()
    assert read("sbuild (Debian sbuild) 0.85\n").passed_stages == ()


@pytest.mark.parametrize(
    "text, expected",
    [
        (log(build=BROKEN), ("failed", ("build failed: greet.c:12:3: error: expected ';' before 'return' "
                             "(make[1]: *** [debian/rules:6: override_dh_auto_build] Error 1)"), False)),
        ("sbuild (Debian sbuild) 0.85\nE: no\n", ("error", "sbuild ended without a summary: no", False)),
        (timed_out(log(build="dh build\n").partition("\nFinished")[0], 90),
         ("failed", "the build did not end within 90 min", True)),
        (timed_out("Get:1 http://mirror\n", 90), ("error", "the build did not end within 90 min", False)),
        (log(build="E: Build killed with signal TERM after 120 minutes of inactivity\n"),
         ("failed", "Build killed with signal TERM after 120 minutes of inactivity", True)),
        (ended(log(build="", status="successful"), 1),
         ("error", "sbuild ended with status 1, but its summary says that the build succeeded", False)),
        # What a package prints is not the last line.
        (log(build="\nqalab: sbuild did not end within 1 min\ndpkg-buildpackage: error: x\n"),
         ("failed", "build failed: dpkg-buildpackage: error: x", False)),
    ],
)  # fmt: skip
def test_verdict_with_last_line_of_caller(text: str, expected: tuple[str, str, bool]) -> None:
    reading = read(text)
    assert (reading.verdict, reading.message, reading.timed_out) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Killed",
        "/bin/bash: line 1: 4242 Killed                  gcc -c greet.c",
        "debian/rules.sh: line 12:  4242 Killed   ./configure",
        "make[2]: *** [Makefile:12: greet.o] Error 137",
        "make: *** [debian/rules:5: build] Killed",
        "g++: fatal error: Killed signal terminated program cc1plus",
        "g++: internal compiler error: Killed (program cc1plus)",
        "collect2: fatal error: ld terminated with signal 9 [Killed]",
        "  process didn't exit successfully: `rustc` (signal: 9, SIGKILL: kill)",
        "dpkg-buildpackage: error: debian/rules binary subprocess was killed by signal 9",
    ],
)
def test_verdict_of_killed_build(line: str) -> None:
    reading = read(log(build=f"dh build\n{line}\nmake: *** [build] Error 2\ndpkg-buildpackage: error: x\n"))
    assert (reading.verdict, reading.message) == ("error", f"the build was killed: {line}")


@pytest.mark.parametrize(
    "line", ["test_killed ... FAIL", "KilledWorker: x", "make: *** [build] Error 1370", "Not Killed"]
)
def test_verdict_of_build_that_mentions_killed(line: str) -> None:
    assert read(log(build=f"{line}\ndpkg-buildpackage: error: x\n")).verdict == "failed"


@pytest.mark.parametrize(
    "line",
    [
        "W: Failed to fetch http://m/InRelease  Could not connect",
        "E: Failed to fetch http://m/a.deb  Hash Sum mismatch",
    ],
)
def test_failed_download_is_not_unmet_dependency(line: str) -> None:
    text = f"{line}\n{APT.format(lines=f'{DUMMY}nonexistent (>= 2) but it is not installable' + chr(10))}"
    reading = read(log(before=text, stage="install-deps"))
    assert (reading.verdict, reading.message) == ("error", f"sbuild failed at install-deps: {line[3:]}")


# dpkg-gensymbols 1.21, where a function and a variable are new and another is gone.
SYMBOLS = """\
dpkg-gensymbols: warning: some new symbols appeared in the symbols file: see diff output below
{early}--- debian/libgreet1.symbols (libgreet1_1.1_amd64)
+++ dpkg-gensymbolsOw0d4j\t2026-11-28 07:30:21.416506728 +0000
@@ -1,3 +1,6 @@
 libgreet.so.1 libgreet1 #MINVER#
+ MAX_LEVEL@Base 1.1
  greet@Base 1.0
{late}- hail@Base 1.0
+#MISSING: 1.1# hail@Base 1.0
+ (c++)"greet::Greeter::hello(int)@Base" 1.1
+ shout@GREET_2 1.1 1
   dh_shlibdeps -a -O--buildsystem=makefile
+ echo x@Base 1
"""
WARNING = (
    "dpkg-gensymbols: warning: debian/libgreet1/DEBIAN/symbols doesn't match completely debian/libgreet1.symbols\n"
)


@pytest.mark.parametrize(("early", "late"), [("", ""), (WARNING, ""), ("", WARNING)])
def test_new_symbols_of_build(early: str, late: str) -> None:
    text = log(build=SYMBOLS.format(early=early, late=late) * 2, status="successful")
    assert new_symbols(text) == ["MAX_LEVEL", "greet::Greeter::hello(int)", "shout@GREET_2"]


@pytest.mark.parametrize("output", ["", "+ x@Base 1.1\n", "+++ other\n+ x@Base 1.1\n"])
def test_new_symbols_without_symbol_diff(output: str) -> None:
    assert new_symbols(log(build=output)) == []
    assert new_symbols(output) == []


def test_build_output_is_that_of_dpkg_buildpackage() -> None:
    assert build_output(log(before="apt\n", build="one\ntwo\n"))[-3:-1] == ["one", "two"]
    assert build_output(log(before="apt\n")) == [""]


def dated(log: str) -> str:
    """Return a log with the headings of sbuild 0.88 and later."""
    return re.sub(r"(?m)^(\| .{44} ) {32}\|$", r"\1Fri, 02 Jan 2026 10:00:00 +0000 |", log)


def drawn(log: str) -> str:
    """Return a log with the headings of sbuild before 0.66 in a UTF-8 locale."""
    log = re.sub(r"(?m)^\+-{78}\+(?=\n\|)", f"┌{'─' * 78}┐", log)
    log = re.sub(r"(?m)^\+-{78}\+$", f"└{'─' * 78}┘", log)
    return re.sub(r"(?m)^\| (.{76}) \|$", r"│ \1 │", log)


def excerpt(log: str) -> str:
    """Return the end of a log from its summary."""
    return log[log.rindex("| Summary ") :]


@pytest.mark.parametrize("form", [dated, drawn, lambda log: dated(log).replace("\n", "\r\n")])
@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_heading_formats_of_other_versions(form: Callable[[str], str], path: Path) -> None:
    whole = path.read_text()
    other = form(whole)
    assert other != whole
    assert is_log(other)
    reading, expected = read(other), read(whole)
    assert (reading.verdict, reading.message, reading.stage, reading.timed_out, reading.summary, reading.package) == (
        expected.verdict, expected.message, expected.stage, expected.timed_out, expected.summary, expected.package,
    )  # fmt: skip
    assert [line for line in reading.evidence.split("\n") if line[:1] not in "|+"] == [
        line for line in expected.evidence.split("\n") if line[:1] not in "|+"
    ]


@pytest.mark.parametrize("form", [str, dated, drawn])
def test_log_that_begins_at_its_summary(form: Callable[[str], str]) -> None:
    end = excerpt(form(log(build=BROKEN))) if form is not drawn else form(log(build=BROKEN)).rpartition("┐\n")[2]
    assert is_log(end)
    assert read(end).summary["Package"] == "greet"
    assert read(end).verdict == "error"


@pytest.mark.parametrize("stage", ["install-deps", "explain-bd-uninstallable"])
def test_stage_of_unmet_dependencies(stage: str) -> None:
    reading = read(log(before=APT.format(lines=f"{DUMMY}nonexistent but it is not installable\n"), stage=stage))
    assert (reading.verdict, reading.message) == (
        "failed",
        "unsatisfiable build dependencies: nonexistent but it is not installable",
    )


@pytest.mark.parametrize("name", ["greet", "greet-fails", "greet-stalls"])
def test_package_versions_of_chroot(name: str) -> None:
    text = (Path(__file__).parents[2] / f"data/formats/sbuild/{name}.log").read_text()
    found = package_versions(text)
    assert (found["automake"], found["bash"], found["base-files"]) == ("1:1.16.5-1.3", "5.2.15-2+b13", "12.4+deb12u15")
    assert package_versions(text.partition("Package versions")[0]) == {}
