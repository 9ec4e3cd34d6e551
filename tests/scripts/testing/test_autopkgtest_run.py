"""The command line of autopkgtest, and its files for apt."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import Result, run
from lab.results.cases import Case, Nuance, Outcome
from scripts.testing.autopkgtest_run import (
    AptSuite,
    Autopkgtest,
    check,
    check_complete,
    check_tested,
    check_unpacked,
    distinct,
    execute,
    finished,
)

NO_RELEASE = "The repository 'http://deb.example x Release' does not have a Release file."


def test_autopkgtest_inputs_pin_the_component_alone(tmp_path: Path) -> None:
    suites = [AptSuite("trunk-1"), AptSuite("trunk-2", ("greet", "greet-doc"))]
    Autopkgtest("x.dsc", suites, "KEY").write_inputs(tmp_path)
    assert (tmp_path / "archive.asc").read_text() == "KEY"
    assert (tmp_path / "sources").read_text() == (
        "deb http://lab-archive trunk-1 main\ndeb http://lab-archive trunk-2 main\n"
    )
    assert (tmp_path / "preferences").read_text() == (
        "Package: *\nPin: release n=trunk-1\nPin-Priority: 1001\n\n"
        "Package: *\nPin: release n=trunk-2\nPin-Priority: -1\n\n"
        "Package: greet greet-doc\nPin: release n=trunk-2\nPin-Priority: 1002\n\n"
    )


def test_autopkgtest_takes_nothing_from_a_state_without_packages_of_the_component() -> None:
    assert AptSuite("trunk-2", ()).preferences == "Package: *\nPin: release n=trunk-2\nPin-Priority: -1\n\n"


def test_autopkgtest_command_line() -> None:
    argv = Autopkgtest(Path("/a/x.dsc"), [], "", "greet/2", {"greet": "2"}).argv(
        Path("/out"), Path("/in"), 60, ["server", "sid"]
    )
    words = list(map(str, argv))
    assert words[-4:] == ["/a/x.dsc", "--", "server", "sid"]
    (setup,) = (word for word in words if word.startswith("--setup-commands="))
    assert words.index("--apt-upgrade") < words.index(setup)
    assert setup.endswith(" sh greet=2")
    limits = {f"--timeout-{kind}=60" for kind in ("test", "build", "install")}
    assert {"--output-dir=/out", *limits, "--env=ADT_TEST_TRIGGERS=greet/2"} <= set(words)


@pytest.mark.parametrize("code", [0, 2, 4, 6, 8, 12, 14])
def test_autopkgtest_status_of_package(code: int) -> None:
    check(Result(("autopkgtest",), code), "")
    check(Result(("autopkgtest",), code), "E: Failed to fetch http://deb.example/x")  # and apt's second try got it
    check(Result(("autopkgtest",), code), "erroneous package: testbed setup commands failed with status 100")


def test_autopkgtest_output_of_a_test_is_no_error_of_the_lab() -> None:
    check(Result(("autopkgtest",), 4), f"E: {NO_RELEASE}\nerroneous package: testbed setup commands failed")


@pytest.mark.parametrize(
    ("code", "output", "message"),
    [
        (
            16,
            "autopkgtest [1:00:00]: ERROR: testbed failure: no space",
            "the testbed does not work: testbed failure: no space",
        ),
        (
            16,
            "qalab-virt-nspawn: failure: it does not boot\nautopkgtest [1:00:00]: ERROR: testbed failure: unexpected eof from the testbed\n",
            "the testbed does not work: qalab-virt-nspawn: failure: it does not boot",
        ),
        (
            12,
            f"E: {NO_RELEASE}\nautopkgtest [1:00:00]: ERROR: erroneous package: testbed setup commands failed with status 100",
            f"the testbed does not work: {NO_RELEASE}",
        ),
        (20, "", "autopkgtest ended with status 20"),
        (1, "usage", "autopkgtest ended with status 1"),
        (-9, "", "autopkgtest ended with status -9"),
    ],
    ids=["testbed", "server", "mirror", "unexpected", "unknown", "killed"],
)
def test_autopkgtest_status_of_lab(code: int, output: str, message: str) -> None:
    with pytest.raises(InfrastructureError) as caught:
        check(Result(("autopkgtest",), code), output)
    assert caught.value.args[0] == message


BAD_EXTRACT = "autopkgtest [1:00:00]: ERROR: erroneous package: rules extract failed with exit code"
NO_APT = "autopkgtest [1:00:00]: ERROR: testbed failure: rules extract failed with exit code 100 (apt failure)"
DAMAGED = "dpkg-source: error: file greet_1.0.tar.xz has size 3 instead of expected 9"


@pytest.mark.parametrize(
    ("code", "output", "tested", "message"),
    [
        (12, f"{BAD_EXTRACT} 1", "greet", "the testbed cannot fetch the source package greet (status 1)"),
        (16, NO_APT, "greet", "the testbed cannot fetch the source package greet (status 100)"),
        (12, f"{BAD_EXTRACT} 1", Path("/a/greet_1.dsc"), "greet_1.dsc cannot be unpacked in the testbed (status 1)"),
        (12, f"tar: x: No space left on device\n{DAMAGED}\n{BAD_EXTRACT} 2", Path("/a/greet_1.dsc"),
         "the testbed is full: the source package cannot be unpacked"),
        (12, f"{DAMAGED}\n{BAD_EXTRACT} 2", Path("/a/greet_1.dsc"), ""),
        (12, f"  5s {DAMAGED}\n{BAD_EXTRACT} 2", Path("/a/greet_1.dsc"), ""),
        (12, "erroneous package: debian/tests/nowhere does not exist", "greet", ""),
        (4, f"{BAD_EXTRACT} 1", "greet", ""),
    ],
    ids=["unknown", "mirror", "other", "full", "damaged", "damaged, with times", "other error", "output of a test"],
)  # fmt: skip
def test_autopkgtest_source_package_is_not_unpacked(code: int, output: str, tested: str | Path, message: str) -> None:
    with pytest.raises(InfrastructureError) if message else nullcontext() as caught:
        check_unpacked(Result(("autopkgtest",), code), output, tested)
    assert not message or (caught and caught.value.args[0] == message and caught.value.hint is not None)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("erroneous package: rules extract failed with exit code 2", "the source package cannot be unpacked: no room"),
        ("erroneous package: testbed setup commands failed with status 100", "greet stays at 1: 2 cannot be installed"),
        ("erroneous package: debian/tests/x does not exist", "erroneous package: debian/tests/x does not exist"),
    ],
)
def test_autopkgtest_error_of_a_package_is_explained(message: str, shown: str) -> None:
    said = "E: greet stays at 1: 2 cannot be installed\ndpkg-source: error: no room\n"
    assert [each.message for each in distinct([case("[package]", "failed", "bad-package", message)], said)] == [shown]


# A dpkg-query whose greet is installed, whose old has left conffiles, and that knows nothing else.
DPKG_QUERY = """#!/bin/sh
for name; do :; done
case $name in
greet) printf 'installed 1.0' ;;
old) printf 'config-files 1.0' ;;
*) exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("wanted", "code", "output"),
    [
        ({"greet": "1.0"}, 0, ""),
        ({"greet": "1.1"}, 100, "E: greet stays at 1.0: 1.1 cannot be installed\n"),
        ({"old": "1.1", "other": "1.1"}, 0, ""),
        ({"old": "1.1", "greet": "1:1.0"}, 100, "E: greet stays at 1.0: 1:1.0 cannot be installed\n"),
    ],
    ids=["candidate", "kept-back", "not-installed", "epoch"],
)
def test_autopkgtest_checks_the_versions_of_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str], code: int, output: str
) -> None:
    program = tmp_path / "dpkg-query"
    program.write_text(DPKG_QUERY)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    words = map(str, Autopkgtest("greet", [], "", versions=wanted).argv(Path("/out"), Path("/in"), 60, []))
    (setup,) = (word.partition("=")[2] for word in words if word.startswith("--setup-commands="))
    done = run(["sh", "-euc", setup], capture=True, check=False)
    assert (done.returncode, done.stdout) == (code, output)


CONTROL = "Source: greet\nMaintainer: Lab <lab@lab.example>\n\nPackage: greet\nArchitecture: all\nDescription: toy\n"
CHANGELOG = "greet (1.0) trunk; urgency=low\n\n  * Toy.\n\n -- Lab <lab@lab.example>  Thu, 01 Jan 2026 00:00:00 +0000\n"


@pytest.mark.integration
def test_autopkgtest_real_summary_of_a_package_that_is_kept_back(tmp_path: Path) -> None:
    tree, output = tmp_path / "greet", tmp_path / "output"
    control = "Test-Command: true\nDepends:\n"
    for path, text in {"control": CONTROL, "changelog": CHANGELOG, "tests/control": control}.items():
        (tree / "debian" / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / "debian" / path).write_text(text)
    words = map(str, Autopkgtest("greet", [], "", versions={"dpkg": "99"}).argv(output, tmp_path, 60, []))
    setup = next(word for word in words if word.startswith("--setup-commands="))
    # The server null runs on this machine: the setup commands ask dpkg, and fail before anything is installed.
    argv = ["autopkgtest", "--no-built-binaries", f"--output-dir={output}", setup, f"{tree}/", "--", "null"]
    done = run(argv, capture=True, check=False)
    (found,) = finished(done.returncode, output, done.stdout + done.complaint).cases
    assert (done.returncode, found.name, found.outcome) == (12, "[package]", "failed")
    assert re.fullmatch(r"dpkg stays at \S+: 99 cannot be installed", found.message)


def case(name: str, outcome: Outcome, nuance: Nuance = "", message: str = "") -> Case:
    return Case(suite="autopkgtest", classname="greet", name=name, outcome=outcome, nuance=nuance, message=message)


PASSED, FAILED, SKIPPED = case("a", "passed"), case("a", "failed"), case("a", "skipped")
BAD = case("a", "failed", "bad-package")


@pytest.mark.parametrize(
    ("code", "cases", "complete"),
    [
        (0, [PASSED], True),
        (2, [PASSED, SKIPPED], True),
        (2, [PASSED, case("a", "skipped", "flaky")], True),
        (4, [PASSED, FAILED], True),
        (6, [FAILED, SKIPPED], True),
        (8, [SKIPPED], True),
        (8, [case("a", "passed", "superficial")], True),
        (12, [FAILED, BAD], True),
        (14, [BAD, SKIPPED], True),
        (0, [], False),
        (0, [PASSED, FAILED], False),
        (2, [SKIPPED, FAILED], False),
        (4, [], False),
        (4, [PASSED], False),
        (6, [SKIPPED, PASSED], False),
        (8, [], False),
        (8, [FAILED], False),
        (12, [FAILED], False),
        (12, [PASSED], False),
        (14, [], False),
    ],
)
def test_autopkgtest_status_explained_by_results(code: int, cases: list[Case], complete: bool) -> None:  # noqa: FBT001 - a table
    with nullcontext() if complete else pytest.raises(InfrastructureError, match=f"status {code}"):
        check_complete(code, cases)


@pytest.mark.parametrize(
    ("outcomes", "kept"),
    [
        (["passed", "failed"], "failed"),
        (["failed", "passed"], "failed"),
        (["skipped", "passed"], "passed"),
        (["error", "passed"], "error"),
        (["failed", "error"], "failed"),
        (["skipped", "skipped"], "skipped"),
    ],
)
def test_autopkgtest_worst_of_tests_with_one_name(outcomes: list[Outcome], kept: Outcome) -> None:
    assert [each.outcome for each in distinct(case("a", outcome) for outcome in outcomes)] == [kept]


def test_autopkgtest_name_of_no_tests_hides_no_failure() -> None:
    found = [case("no tests", "skipped"), case("b", "passed")]
    assert [*distinct(found)] == found[1:]
    assert [*distinct([case("no tests", "failed"), *found])] == [case("no tests", "failed"), *found[1:]]


@pytest.mark.parametrize(
    ("name", "listed", "message"),
    [
        ("smoke-packages", "greet\t1.1\nlibgreet\t1.1\nother\t3\n", ""),
        ("smoke-packages", "greet\t1.0\n", "smoke ran with greet 1.0, and not the 1.1 to be tested"),
        ("a-packages-packages", "libgreet\t2\n", "a-packages ran with libgreet 2, and not the 1.1 to be tested"),
        ("smoke-packages", "greet\t\n", ""),
        ("smoke-packages", "", ""),
        ("testbed-packages", "greet\t1.0\n", ""),
        ("smoke-stdout", "greet\t1.0\n", ""),
    ],
    ids=["right", "older", "newer", "removed", "nothing", "base", "another file"],
)
def test_autopkgtest_ran_with_the_candidate(tmp_path: Path, name: str, listed: str, message: str) -> None:
    (tmp_path / name).write_text(listed)
    with pytest.raises(InfrastructureError, match=message) if message else nullcontext():
        check_tested(tmp_path, {"greet": "1.1", "libgreet": "1.1"})


def test_autopkgtest_needs_autodep8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "find_program", lambda _: None)
    context: Any = None
    with pytest.raises(ConfigurationError, match="autodep8"):
        execute(context, tmp_path / "output", Autopkgtest("greet", [], ""), "")
