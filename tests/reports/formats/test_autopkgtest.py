"""The result words of autopkgtest: outcome, nuance, and whose fault it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reports.formats import registry

LOG = """\
autopkgtest [23:59:58]: testing package greet version 1.0
autopkgtest [23:59:59]: test smoke: [-----------------------
about to greet
autopkgtest [00:00:03]: test smoke: -----------------------]
"""
GONE = "autopkgtest [00:00:09]: ERROR: testbed failure: gone\n"


@pytest.mark.parametrize(
    "line, expected",
    [
        ("smoke                PASS", ("smoke", "passed", "", "")),
        ("smoke                PASS (superficial)", ("smoke", "passed", "superficial", "")),
        ("smoke                FAIL stderr: a warning", ("smoke", "failed", "", "stderr: a warning")),
        ("smoke                FAIL timed out", ("smoke", "failed", "timeout", "timed out")),
        ("smoke                FAIL badpkg", ("smoke", "failed", "bad-package", "badpkg")),
        ("smoke                FLAKY non-zero exit status 1", ("smoke", "skipped", "flaky", "non-zero exit status 1")),
        ("smoke                SKIP no reason", ("smoke", "skipped", "", "no reason")),
        ("smoke                BROKEN no such restriction", ("smoke", "failed", "bad-package", "no such restriction")),
        ("a-test-with-a-very-long-name PASS", ("a-test-with-a-very-long-name", "passed", "", "")),
        ("*                    SKIP no tests in this package", ("no tests", "skipped", "", "no tests in this package")),
        ("testbed failure: it is gone", ("[testbed]", "error", "testbed", "testbed failure: it is gone")),
        ("erroneous package: rules", ("[package]", "failed", "bad-package", "erroneous package: rules")),
        (
            "quitting: unexpected error, see log",
            ("[testbed]", "error", "testbed", "quitting: unexpected error, see log"),
        ),
    ],
)
def test_result_words(line: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text(f"{line}\n")
    (case,) = registry.cases("auto", path)
    assert (case.suite, case.name, case.outcome, case.nuance, case.message) == ("autopkgtest", *expected)


@pytest.mark.parametrize(
    "text",
    [
        "t/a.t .. ok\nAll tests successful.\nFiles=1, Tests=3,  0 wallclock secs\nResult: PASS\n",
        "Test Summary Report\n-------------------\nResult: FAIL 1 of 3\n",
        "lib/first: PASS\nlib/second: crashed\n",
    ],
    ids=["prove passed", "a summary that failed", "names with colons"],
)
def test_results_of_other_tools_are_no_summary(text: str, tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text(text)
    assert registry.recognise(path) is None


SETUP = "testbed setup commands failed with status 100"


@pytest.mark.parametrize(
    "text, outcomes",
    [
        ("smoke PASS\nupgrade failed\n", ["passed", "error"]),
        ("smoke PASS\n2 of 3 tests failed\n", ["passed", "error"]),
        ("smoke PASS\nSegmentation fault\nupgrade PASS\n", ["passed", "passed", "error"]),
        ("smoke FAIL badpkg\nblame: greet\nbadpkg: unsatisfiable\n because of: hello\n", ["failed"]),
        ("testbed failure: sent `copyup'\ngot `timeout'\n", ["error"]),
        (f"blame: \nbadpkg: {SETUP}\nerroneous package: {SETUP}\n", ["failed"]),
    ],
    ids=[
        "a result in small letters",
        "a count",
        "a crash",
        "a long reason of the package",
        "a long reason of the testbed",
        "an upgrade before the tests that blames nothing",
    ],
)
def test_unknown_line_of_a_summary_is_damage(text: str, outcomes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text(text)
    assert [case.outcome for case in registry.cases("auto", path)] == outcomes


def test_log_next_to_summary_adds_package_time_and_evidence(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text("smoke                FAIL non-zero exit status 1\n")
    (tmp_path / "log").write_text(LOG)
    (case,) = registry.cases("autopkgtest", path)
    assert (case.classname, case.seconds, case.evidence) == ("greet", 4.0, "about to greet")


def test_truncated_log_is_infrastructure_error(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(LOG)
    (case,) = registry.cases("autopkgtest", path)
    assert (case.outcome, case.nuance, case.message) == ("error", "testbed", "the log ends before its summary")


RESULT = "autopkgtest [00:00:03]: test smoke:  - - - - - - - - - - results - - - - - - - - - -\n"
BADPKG = "a FAIL badpkg\nblame: deb:a\nbadpkg: no a\nb FAIL badpkg\nblame: deb:b\nbadpkg: no b\n"


def timed(log: str) -> str:
    return "".join(f"{number:3}s {line}" for number, line in enumerate(log.splitlines(keepends=True)))


@pytest.mark.parametrize("form", [str, timed], ids=["plain", "timed"])
@pytest.mark.parametrize(
    "log, expected",
    [
        (f"{LOG}{RESULT}smoke PASS\n", [("smoke", "passed", ""), ("[testbed]", "error", "the log ends before its summary")]),
        (f"{LOG}autopkgtest [00:00:04]: @@@@@@@@@@@@@@@@@@@@ summary\nsmoke PASS\n", [("smoke", "passed", "")]),
        (f"{LOG}autopkgtest [00:00:04]: ERROR: testbed failure: gone\n", [("[testbed]", "error", "testbed failure: gone")]),
        # Results before the message about them, or without one.
        (f"{LOG}smoke FAIL timed out\n{RESULT}autopkgtest: DBG: x\n{GONE}", [("smoke", "failed", "timed out"), ("[testbed]", "error", "testbed failure: gone")]),
        (f"{LOG}{RESULT}smoke PASS\nautopkgtest [00:00:05]: test gui: preparing testbed\nE: x\ngui FAIL badpkg\nblame: a\nbadpkg: b\n{GONE}",
         [("smoke", "passed", ""), ("gui", "failed", "badpkg: b"), ("[testbed]", "error", "testbed failure: gone")]),
        (f"autopkgtest [23:59:57]: processing\nfar SKIP another architecture\n{LOG}{RESULT}smoke PASS\n{GONE}",
         [("far", "skipped", "another architecture"), ("smoke", "passed", ""), ("[testbed]", "error", "testbed failure: gone")]),
        # What a test or a build says is none.
        (f"{LOG}{RESULT}smoke PASS\nautopkgtest [00:00:05]: test smoke:  - - - - - stderr - - - - -\nsmoke FAIL x\ninner PASS\n{GONE}",
         [("smoke", "passed", ""), ("[testbed]", "error", "testbed failure: gone")]),
        (LOG.replace("about to greet", "smoke FAIL x\ninner PASS") + f"{RESULT}smoke PASS\n{GONE}", [("smoke", "passed", ""), ("[testbed]", "error", "testbed failure: gone")]),
        (f"{LOG}autopkgtest [00:00:04]: @@@@@@@@@@@@@@@@@@@@ summary\n", [("[testbed]", "error", "the log ends before its summary")]),
        (f"{LOG}autopkgtest [00:00:04]: @@@@@@@@@@@@@@@@@@@@ summary\n{BADPKG}", [("a", "failed", "badpkg: no a"), ("b", "failed", "badpkg: no b"), ("smoke", "error", "it ran, and has no result in the summary")]),
        (f"{LOG}autopkgtest [00:00:04]: @@@@@@@@@@@@@@@@@@@@ summary\nother PASS\n", [("other", "passed", ""), ("smoke", "error", "it ran, and has no result in the summary")]),
        (f"{LOG}autopkgtest [00:00:04]: @@@@@@@@@@@@@@@@@@@@ summary\nsmoke WORKS well\n", [("smoke", "error", "unknown result: WORKS well")]),
    ],
)  # fmt: skip
def test_ends_of_log(
    form: Callable[[str], str], log: str, expected: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    """Since 5.29 lines begin with seconds."""
    path = tmp_path / "log"
    path.write_text(form(log))
    cases = registry.cases("auto", path)
    assert [(case.name, case.outcome, case.message) for case in cases] == expected
    assert {case.classname for case in cases} == {"greet"}
    assert all(case.seconds == 4 for case in cases if case.name == "smoke")


def test_lines_that_only_look_timed_stay(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(LOG.replace("about to greet", "  5s about to greet") + RESULT + "smoke FAIL no\n")
    assert registry.cases("auto", path)[0].evidence == "  5s about to greet"
