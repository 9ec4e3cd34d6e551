"""The runner of GNOME's installed tests: its results, the TAP of its programs, and runs that did not end."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.formats import registry

RUNS, PASSES = "Running test: a/b.test", "PASS: a/b.test"
ONE = "SUMMARY: total=1; passed=1; skipped=0; failed=0; user=0.0s; system=0.0s; maxrss=1"
FORMAT = "gnome-desktop-testing"


def read(tmp_path: Path, *lines: str) -> list[tuple[str, str, str]]:
    path = tmp_path / "t.txt"
    path.write_text("\n".join([*lines, ""]))
    assert registry.recognise(path) == FORMAT
    return [(case.classname, case.name, case.outcome) for case in registry.cases("auto", path)]


def test_points_of_a_program_are_cases(tmp_path: Path) -> None:
    lines = RUNS, "1..2", "ok 1 /x", "ok 2 /y # SKIP no", PASSES, ONE
    expected = [(FORMAT, "a/b.test", "passed"), ("a/b.test", "/x", "passed"), ("a/b.test", "/y", "skipped")]
    assert read(tmp_path, *lines) == expected


@pytest.mark.parametrize(
    ("lines", "bad"),
    [
        ((RUNS, "1..1", "not ok 1 /x", PASSES, ONE), ("a/b.test", "/x", "failed")),
        ((RUNS, "1..2", "ok 1 /x", PASSES, ONE), ("a/b.test", "[plan]", "failed")),
        ((RUNS, "not ok /x", PASSES, ONE), ("a/b.test", "/x", "failed")),
        ((RUNS, "Bail out! no disk", PASSES, ONE), ("a/b.test", "[bail out]", "error")),
        ((RUNS, "1..1", "ok 1 /x"), (FORMAT, "a/b.test", "error")),
        ((RUNS, "1..1", "ok 1 /x", PASSES), (FORMAT, "[summary]", "error")),
        ((RUNS, PASSES, ONE, "Running test: a/c.test", "PASS: a/c.test"), (FORMAT, "[summary]", "error")),
        ((RUNS, PASSES, ONE.replace("total=1", "total=3")), (FORMAT, "[summary]", "error")),
        ((RUNS, PASSES, ONE.replace("SUMMARY", "SUMMARY (incomplete)")), (FORMAT, "[summary]", "error")),
        ((RUNS, PASSES, "SUMMARY: total=1; passed=0; skipped=0; failed=1"), (FORMAT, "[summary]", "error")),
        (("1..1", "not ok 1 - of another program", RUNS, PASSES, ONE), ("t", "of another program", "failed")),
        ((RUNS, "Running test: a/c.test", "not ok 1 /x", PASSES, "PASS: a/c.test", ONE), ("t", "/x", "failed")),
        (("1..1", "# Running test: a/b.test", "# FAIL: a/b.test (no)", "not ok - a/b.test", "# " + ONE), (FORMAT, "a/b.test", "failed")),
    ],
    ids=["test", "plan", "test without a number", "bail out", "cut in a program", "cut after a program", "cut in a second run",
         "programs missing", "incomplete", "counts", "other TAP", "at the same time", "with --tap"],
)  # fmt: skip
def test_no_failure_is_lost(lines: tuple[str, ...], bad: tuple[str, str, str], tmp_path: Path) -> None:
    assert bad in read(tmp_path, *lines)


@pytest.mark.parametrize(
    "lines",
    [
        (RUNS, "LowMemoryWarning signal ... ", "ok", "", "Ran 1 test in 5.119s", PASSES, ONE),
        (RUNS, "ok 1 # SKIP too unreliable", "SKIP: a/b.test", "SUMMARY: total=1; passed=0; skipped=1; failed=0"),
        (RUNS, "1..1", "Running test: a/c.test", "1..1", "ok 1 /x", PASSES, "ok 1 /y", "PASS: a/c.test", ONE.replace("=1;", "=2;")),
        ("1..1", "# Running test: a/b.test", "1..1", "ok 1 /x", "ok - a/b.test", f"# {ONE}"),
        ("1..1", "# Running test: a/b.test", "ok # SKIP - a/b.test", "# SUMMARY: total=1; passed=0; skipped=1; failed=0"),
    ],
    ids=["unittest", "skipped without a plan", "at the same time", "with --tap and the programs' output", "skipped with --tap"],
)  # fmt: skip
def test_good_run_has_no_failure(lines: tuple[str, ...], tmp_path: Path) -> None:
    outcomes = [outcome for _, _, outcome in read(tmp_path, *lines)]
    assert set(outcomes) <= {"passed", "skipped"}


def test_failing_test_of_glib_has_one_name(tmp_path: Path) -> None:
    """GLib writes the message of a failing test after its path."""
    path = tmp_path / "t.tap"
    names = set()
    for result in ("ok 1 /a/b", "not ok 1 /a/b - GLib-ERROR:x.c:1: assertion failed - x"):
        path.write_text(f"# random seed: R02Sa488b45c524c6908f6267284b5f070b8\n1..1\n{result}\n")
        (case,) = registry.cases("tap", path)
        names.add(case.name)
    assert names == {"/a/b"}
    assert case.message == "GLib-ERROR:x.c:1: assertion failed - x"
