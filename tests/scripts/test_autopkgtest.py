"""The step autopkgtest with a program of that name that gives the results of a test."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store.records import Record
from lab.store.runs import Store
from scripts import autopkgtest
from scripts.archives import series_index
from tests.conftest import Bench
from tests.toylab import Toy, bench, promote, publish

pytestmark = pytest.mark.integration  # each run is converted by a command of qalab
# $OUT/summary of each run, by the number of the call; the exit code is its first line.
FAKE = """#!/bin/sh
for word; do case $word in --output-dir=*) out=${{word#*=}};; esac; done
echo >> {home}/calls
number=$(wc -l < {home}/calls)
echo "$@" > {home}/argv-$number
mkdir -p "$out"
tail -n +2 {home}/call-$number > "$out/summary"
echo "autopkgtest [12:00:00]: testing package greet version 1.0" > "$out/log"
[ ! -e {home}/packages ] || cp {home}/packages "$out/smoke-packages"
code=$(head -n 1 {home}/call-$number)
grep -q 'setup commands' "$out/summary" && echo 'E: greet stays at 1.0: 1.1 cannot be installed' >&2
[ "$code" != 16 ] || echo 'autopkgtest [12:00:00]: ERROR: testbed failure: sent `open`, got `timeout`' >&2
exit "$code"
"""
PASS, FAIL, SKIP = "smoke PASS", "smoke FAIL non-zero exit status 1", "smoke SKIP no reason"
SUPERFICIAL, FLAKY = "smoke PASS (superficial)", "smoke FLAKY non-zero exit status 1"
OTHER, FIRST_BAD = "other FAIL timed out", "command1 FAIL non-zero exit status 1"
REFUSED = (
    "blame: \nbadpkg: testbed setup commands failed\nerroneous package: testbed setup commands failed with status 100"
)
BAD = "smoke FAIL badpkg\nblame: greet\nbadpkg: Test dependencies are unsatisfiable."


@pytest.fixture
def autopkgtest_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the calls of autopkgtest give these exit codes and summaries, one after the other."""
    home = tmp_path / "fake"
    (home / "bin").mkdir(parents=True)
    program = home / "bin/autopkgtest"
    program.write_text(FAKE.format(home=home))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{os.environ['PATH']}")

    def make(*calls: tuple[int, str]) -> None:
        for number, (code, summary) in enumerate(calls, start=1):
            (home / f"call-{number}").write_text(f"{code}\n{summary}\n")

    return make


@pytest.fixture
def work(lab_factory: Callable[..., Lab], tmp_path: Path) -> Bench:
    """A run of greet 1.1; the baseline has greet 1.0."""
    lab = lab_factory()
    publish(lab, tmp_path, [Toy("greet", "1.0", tests={"control": "Tests: smoke\n", "smoke": "#!/bin/sh\n"})])
    promote(lab, tmp_path)
    return bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1", tests={"control": "Tests: smoke\n"})]))


@pytest.mark.parametrize(
    ("calls", "verdict", "message", "runs"),
    [
        ([(0, PASS)], "passed", "1 of 1 tests passed", ["candidate"]),
        (
            [(4, FAIL), (4, FAIL), (0, PASS)],
            "failed",
            "regression: smoke: non-zero exit status 1",
            ["candidate", "retry", "baseline"],
        ),
        (
            [(4, FAIL), (4, FAIL), (4, FAIL), (4, FAIL)],
            "passed",
            "0 of 1 tests passed; smoke fails in BASELINE too",
            ["candidate", "retry", "baseline", "baseline-retry"],
        ),
        (
            [(4, FAIL), (4, FAIL), (4, FAIL), (0, PASS)],
            "failed",
            "regression: smoke: non-zero exit status 1; does not fail in BASELINE",
            ["candidate", "retry", "baseline", "baseline-retry"],
        ),
        (
            [(4, FAIL), (8, SKIP), (0, PASS)],
            "failed",
            "regression: smoke: non-zero exit status 1; skipped when tried again; does not fail in BASELINE",
            ["candidate", "retry", "baseline"],
        ),
        (
            [(4, f"{FAIL}\n{PASS}"), (4, f"{FAIL}\n{PASS}"), (0, PASS)],
            "failed",
            "regression: smoke: non-zero exit status 1",
            ["candidate", "retry", "baseline"],
        ),
        (
            [(4, FAIL), (0, PASS)],
            "unstable",
            "flaky: smoke failed once, and passed once",
            ["candidate", "retry"],
        ),
        ([(4, FAIL), (4, FAIL), (8, "* SKIP no tests")], "failed", "regression: smoke: non-zero exit status 1", None),
        (
            [(4, f"{PASS}\n{OTHER}"), (4, f"{FAIL}\nother PASS")],
            "unstable",
            "flaky: smoke, other failed once, and passed once",
            ["candidate", "retry"],
        ),
        (
            [(6, f"{SKIP}\n{OTHER}"), (4, f"{FAIL}\nother PASS"), (0, PASS)],
            "failed",
            "regression: smoke: non-zero exit status 1; does not fail in BASELINE",
            ["candidate", "retry", "baseline"],
        ),
        ([(2, SKIP)], "skipped", "all 1 tests were skipped", ["candidate"]),
        ([(8, "* SKIP no tests in this package")], "skipped", "no tests", ["candidate"]),
        ([(8, SKIP)], "skipped", "all 1 tests were skipped", ["candidate"]),
        ([(8, FLAKY)], "skipped", "all 1 tests were skipped", ["candidate"]),
        ([(8, f"{SUPERFICIAL}\nother SKIP no reason")], "skipped", "all 2 tests were superficial or skipped", ["candidate"]),
        ([(2, f"{PASS}\nunsteady FLAKY non-zero exit status 1")], "passed", "1 of 2 tests passed", ["candidate"]),
        (
            [(4, FAIL), (8, SUPERFICIAL)],
            "unstable",
            "flaky: smoke failed once, and passed once",
            ["candidate", "retry"],
        ),
        (
            [(12, BAD), (0, PASS)],
            "passed",
            "1 of 1 tests passed; everything is from the state",
            ["candidate", "whole"],
        ),
        (
            [(12, f"{OTHER}\n{BAD}"), (12, f"{OTHER}\n{BAD}"), (0, f"other PASS\n{PASS}"), (0, f"other PASS\n{PASS}")],
            "failed",
            "regression: other: timed out; does not fail in BASELINE; everything is from the state for smoke",
            ["candidate", "retry", "whole", "baseline"],
        ),
        (
            [(12, f"{OTHER}\n{BAD}"), (12, "other FAIL badpkg\nbadpkg: x\n" + BAD), (0, f"other PASS\n{PASS}"), (0, "other PASS")],
            "failed",
            "regression: other: badpkg: x; does not fail in BASELINE; everything is from the state for smoke",
            ["candidate", "retry", "whole", "baseline"],
        ),
        (
            [(12, BAD), (8, "* SKIP no tests in this package"), (0, PASS)],
            "failed",
            "regression: smoke: badpkg: Test dependencies are unsatisfiable.; does not fail in BASELINE",
            ["candidate", "whole", "baseline"],
        ),
        (
            [(12, REFUSED), (12, REFUSED), (12, REFUSED), (0, PASS)],
            "failed",
            "regression: [package]: greet stays at 1.0: 1.1 cannot be installed; does not fail in BASELINE",
            ["candidate", "whole", "whole-retry", "baseline"],
        ),
        (
            [(4, FAIL), (4, FAIL), (12, BAD), (12, BAD)],
            "failed",
            "regression: smoke: non-zero exit status 1; fails otherwise in BASELINE",
            ["candidate", "retry", "baseline", "baseline-retry"],
        ),
        (
            [(12, BAD), (12, BAD), (12, BAD), (4, FAIL), (4, FAIL)],
            "failed",
            "regression: smoke: badpkg: Test dependencies are unsatisfiable.; fails otherwise in BASELINE",
            ["candidate", "whole", "whole-retry", "baseline", "baseline-retry"],
        ),
        (
            [(12, BAD)] * 5,
            "passed",
            "0 of 1 tests passed; smoke fails in BASELINE too",
            ["candidate", "whole", "whole-retry", "baseline", "baseline-retry"],
        ),
        (
            [(4, f"{FIRST_BAD}\ncommand2 PASS"), (4, f"{FIRST_BAD}\ncommand2 PASS"), (4, FIRST_BAD), (4, FIRST_BAD)],
            "failed",
            "regression: command1: non-zero exit status 1; can be another test in BASELINE",
            ["candidate", "retry", "baseline", "baseline-retry"],
        ),
        (
            [(4, f"{FIRST_BAD}\n{PASS}"), (4, f"{FIRST_BAD}\n{PASS}"), (4, FIRST_BAD), (4, FIRST_BAD)],
            "passed",
            "1 of 2 tests passed; command1 fails in BASELINE too",
            ["candidate", "retry", "baseline", "baseline-retry"],
        ),
        ([(0, "")], "error", "autopkgtest ended with status 0, and its results do not explain this", None),
        ([(8, "")], "error", "autopkgtest ended with status 8", None),
        ([(4, "")], "error", "autopkgtest ended with status 4", None),
        ([(4, PASS)], "error", "autopkgtest ended with status 4", None),
        ([(6, SKIP)], "error", "autopkgtest ended with status 6", None),
        ([(0, FAIL)], "error", "autopkgtest ended with status 0", None),
        ([(12, FAIL)], "error", "autopkgtest ended with status 12", None),
        ([(14, PASS)], "error", "autopkgtest ended with status 14", None),
        (
            [(16, "")],
            "error",
            "the testbed does not work: testbed failure: sent `open`, got `timeout`",
            None,
        ),
        ([(20, "")], "error", "autopkgtest ended with status 20", None),
        ([(4, FAIL), (4, FAIL), (16, "")], "error", "the testbed does not work: testbed failure: sent `open`", None),
    ],
    ids=["pass", "regression", "known", "flaky-baseline", "failed-skipped", "one-name",
         "flaky", "new", "flaky-later", "skipped-failed", "skipped", "none", "all-skipped", "declared-flaky", "superficial",
         "one-declared-flaky", "flaky-superficial", "whole", "whole-in-part", "then-not-installable",
         "whole-without-tests", "kept-back", "not-run-in-baseline", "not-run-any-more", "never-installable", "numbered-anew", "numbered-alike", "lost-0", "lost-8", "lost-4", "lost-failure", "lost-failure-6", "too-much",
         "lost-bad-package", "lost-bad-package-14", "testbed", "status", "no-baseline"],
)  # fmt: skip
def test_autopkgtest_verdict(  # noqa: PLR0917 - a table
    work: Bench,
    autopkgtest_gives: Callable[..., None],
    calls: list[tuple[int, str]],
    verdict: str,
    message: str,
    runs: list[str] | None,
) -> None:
    autopkgtest_gives(*calls)
    record = work.execute(autopkgtest)
    baseline = f"trunk-tested ({record.facts.get('baseline')})"
    assert record.verdict == verdict, work.log("autopkgtest")
    assert record.message.startswith(message.replace("BASELINE", baseline))
    assert runs is None or list(record.facts["runs"]) == runs


def shown(work: Bench, record: Record) -> list[Mapping[str, str]]:
    text = (work.run.path / record.native[0].path).read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_autopkgtest_flaky_keeps_both_results(work: Bench, autopkgtest_gives: Callable[..., None]) -> None:
    autopkgtest_gives((4, FAIL), (0, PASS))
    last, first = shown(work, work.execute(autopkgtest))
    assert (last["outcome"], last["nuance"]) == ("passed", "flaky")
    assert (first["outcome"], first["nuance"]) == ("failed", "rerun")


def test_autopkgtest_baseline_is_kept(work: Bench, autopkgtest_gives: Callable[..., None], tmp_path: Path) -> None:
    autopkgtest_gives(*[(4, FAIL)] * 8, (0, PASS))
    every = ["candidate", "retry", "baseline", "baseline-retry"]
    assert list(work.execute(autopkgtest).facts["runs"]) == every
    record = work.execute(autopkgtest)
    assert list(record.facts["runs"]) == every[:2]
    assert record.verdict == "passed"
    assert shown(work, record)[0]["nuance"] == "expected-failure"
    # The baseline runs its own version, without the candidate's packages and trigger.
    candidate, baseline = ((tmp_path / f"fake/argv-{number}").read_text() for number in (1, 3))
    assert "greet_1.1.dsc" in candidate
    assert "ADT_TEST_TRIGGERS=greet/1.1" in candidate
    assert "greet=1.1" in candidate
    assert "greet_1.0.dsc" in baseline
    assert "ADT_TEST_TRIGGERS" not in baseline
    # The series below the baseline changes, so that its results are not good for ever.
    (kept,) = (Store.of(work.lab).root / "baselines").iterdir()
    kept.write_text(re.sub(r'("finished": *")\d+', r"\g<1>2001", kept.read_text()))
    record = work.execute(autopkgtest)
    assert list(record.facts["runs"]) == every[:3]
    assert record.verdict == "failed"


def test_autopkgtest_baseline_without_a_result_is_not_kept(work: Bench, autopkgtest_gives: Callable[..., None]) -> None:
    autopkgtest_gives((4, FAIL), (4, FAIL), (0, "smoke MAYBE"), (4, FAIL), (4, FAIL), (0, PASS))
    assert work.execute(autopkgtest).verdict == "error"
    assert work.execute(autopkgtest).verdict == "failed"


def test_autopkgtest_with_a_former_package_proves_nothing(
    lab_factory: Callable[..., Lab],
    tmp_path: Path,
    autopkgtest_gives: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(series_index, "packages_files", lambda *_: [""])
    lab, tests = lab_factory(), {"control": "Tests: smoke\nDepends: greet\n"}
    publish(lab, tmp_path, [Toy("greet", "1.0", tests=tests)])
    promote(lab, tmp_path)
    provides = {"greet-ng": "Provides: greet (= 1.1)\nConflicts: greet\nReplaces: greet"}
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1", provides, tests=tests)]))
    autopkgtest_gives((0, PASS), (0, PASS))
    (tmp_path / "fake/packages").write_text("greet\t1.0\n")
    record = work.execute(autopkgtest)
    assert (record.verdict, record.message) == (
        "skipped",
        "all 1 tests were superficial or skipped; smoke ran with greet 1.0, and with no package of the candidate",
    )
    (tmp_path / "fake/packages").write_text("greet-ng\t1.1\n")
    assert work.execute(autopkgtest).verdict == "passed"


def test_autopkgtest_series_as_baseline(
    lab_factory: Callable[..., Lab],
    tmp_path: Path,
    autopkgtest_gives: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(series_index, "newest_version", lambda *_: series_index.SeriesVersion("0.9"))
    lab = lab_factory()
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.0", tests={"control": "Tests: smoke\n"})]))
    autopkgtest_gives(*[(4, FAIL)] * 4)
    record = work.execute(autopkgtest)
    assert record.message == "0 of 1 tests passed; smoke fails in bookworm too"
    argv = (tmp_path / "fake/argv-3").read_text().split()
    assert argv[argv.index("--") - 1] == "greet"
    assert "--deb-src" in argv
