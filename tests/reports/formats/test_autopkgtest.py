"""The result words of autopkgtest: outcome, nuance, and whose fault it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.formats import registry

LOG = """\
autopkgtest [23:59:58]: testing package greet version 1.0
autopkgtest [23:59:59]: test smoke: [-----------------------
about to greet
autopkgtest [00:00:03]: test smoke: -----------------------]
"""


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
