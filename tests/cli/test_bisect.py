"""``qalab bisect`` and ``qalab watch --bisect``: which range is searched, and what a user can do with a bisection."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import bisecting
from cli.main import cli
from lab.base import files
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store import bisections
from lab.store.bisections import Bisection, Sought
from lab.store.run_directory import open_run
from lab.store.runs import Store
from reports import first_bad
from scripts.bisection.bisector import cancel_path
from scripts.handover import jenkins_results
from tests.conftest import EPOCH, Bench, packaging_files
from tests.scripts.bisection.conftest import history

STEPS = ("snapshot", "packaging", "changelog", "source", "sbuild", "lintian", "content", "archive", "upload", "push")


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], tmp_path: Path) -> Lab:
    """A lab with five commits; the runs of the first one passed, that of the last one failed in sbuild."""
    made = lab_factory(upstream=tmp_path / "upstream", packaging=tmp_path / "packaging")
    commits = history(tmp_path / "upstream", [{"greet.txt": str(number)} for number in range(5)])
    history(tmp_path / "packaging", [packaging_files()])
    (tmp_path / "commits").write_text("\n".join(commits))
    ran(made, bench, commits[0])
    ran(made, bench, commits[-1], failed="sbuild")
    return made


def ran(lab: Lab, bench: Callable[..., Bench], commit: str, failed: str = "") -> None:
    record_steps(bench(lab, commit), commit, failed)


def record_steps(one: Bench, commit: str, failed: str) -> None:
    for step in STEPS:
        one.pretend(step, **({"commit": commit} if step == "snapshot" else {}))
        if step == failed:
            record = one.run.record(step)
            assert record
            record.model_copy(update={"verdict": "failed", "exit_code": 1}).write(one.run.record_path(step))
            break


def commits(tmp_path: Path) -> list[str]:
    return (tmp_path / "commits").read_text().split()


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[Bisection]:
    """The bisections that are carried out; none of them tests anything."""
    found: list[Bisection] = []

    def carry_on(_lab: Lab, one: Bisection, *_: Any) -> Bisection:
        found.append(one)
        return one

    monkeypatch.setattr(bisecting, "carry_on", carry_on)
    return found


def qalab(lab: Lab, *argv: str) -> Result:
    return CliRunner().invoke(cli, [*argv, "--lab", str(lab.file)])


@pytest.mark.integration
def test_range_is_that_of_the_runs(lab: Lab, searched: list[Bisection], tmp_path: Path) -> None:
    qalab(lab, "bisect", "trunk", "greet")
    known = commits(tmp_path)
    (one,) = searched
    assert (one.sought, one.good.commit, one.bad.commit) == (
        Sought(phase="build", kind="step", name="sbuild"),
        known[0],
        known[-1],
    )
    assert [change.name for change in one.axes[0].changes] == known[1:]
    qalab(lab, "bisect", "trunk", "greet")  # the open one is continued
    assert [each.number for each in searched] == [1, 1]


@pytest.mark.integration
def test_range_is_that_of_the_call(lab: Lab, searched: list[Bisection], tmp_path: Path) -> None:
    known = commits(tmp_path)
    qalab(lab, "bisect", "trunk", "greet", "--good", known[1], "--bad", known[3])
    assert [change.name for change in searched[0].axes[0].changes] == known[2:4]
    refused = qalab(lab, "bisect", "trunk", "greet", "--test", "no/such/test")
    assert "no/such/test is not broken in trunk" in str(refused.exception)


@pytest.mark.integration
def test_watch_searches_each_breakage_once(lab: Lab, searched: list[Bisection]) -> None:
    said: list[str] = []
    bisecting.idle(lab, "trunk", said.append, None)
    (one,) = searched
    assert one.by == "qalab"
    one.model_copy(update={"outcome": "unsure"}).write(bisections.path(Store.of(lab), 1))
    bisecting.idle(lab, "trunk", said.append, None)
    assert len(searched) == 1


@pytest.mark.integration
def test_call_without_component_searches_what_is_due(lab: Lab, searched: list[Bisection]) -> None:
    qalab(lab, "bisect", "trunk")
    qalab(lab, "bisect", "trunk", "", "--minutes", "5")  # as in Jenkins; the open one is continued
    assert [(each.number, each.component, each.by) for each in searched] == [(1, "greet", "qalab")] * 2
    searched[0].model_copy(update={"outcome": "unsure"}).write(bisections.path(Store.of(lab), 1))
    done = qalab(lab, "bisect", "trunk")
    assert (done.exit_code, done.output, len(searched)) == (0, "trunk: no search is due\n", 2)


@pytest.mark.integration
def test_range_is_that_of_jenkins_builds(
    lab: Lab, searched: list[Bisection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has the results of builds whose workspaces are gone."""
    known = commits(tmp_path)
    asked = lab.model_copy(update={"bisection": lab.bisection.model_copy(update={"job": True})})
    for number, commit, failed in ((7, known[1], ""), (8, known[3], "content")):
        monkeypatch.setenv("BUILD_URL", f"https://jenkins.example/{number}/")
        monkeypatch.setenv("BUILD_NUMBER", str(number))
        workspace = open_run(tmp_path / "workspace", lab, "trunk", "greet")
        record_steps(Bench(lab, workspace), commit, failed)
        for one in (lab, asked):
            jenkins_results.keep(one, workspace)
            kept = Store.of(lab).jenkins_results("trunk", "greet", "build") / str(number)
            assert kept.exists() == (one is asked)
        shutil.rmtree(workspace.path)
    qalab(lab, "bisect", "trunk")
    (one,) = searched
    assert (one.sought.name, one.good.commit, one.bad.commit) == ("content", known[1], known[3])


@pytest.mark.integration
def test_watch_obeys_limit(lab: Lab, searched: list[Bisection]) -> None:
    limited = lab.model_copy(update={"bisection": lab.bisection.model_copy(update={"per_day": 0})})
    bisecting.idle(limited, "trunk", print, None)
    assert searched == []


@pytest.mark.integration
def test_watch_leaves_a_single_commit_alone(
    lab: Lab, searched: list[Bisection], bench: Callable[..., Bench], tmp_path: Path
) -> None:
    """There is nothing to search where the range has one commit."""
    known = commits(tmp_path)
    ran(lab, bench, known[0])
    ran(lab, bench, known[1], failed="sbuild")
    bisecting.idle(lab, "trunk", print, None)
    assert searched == []


@pytest.mark.integration
def test_open_bisection_is_cancelled(lab: Lab, searched: list[Bisection]) -> None:
    qalab(lab, "bisect", "trunk", "greet")
    (bisections.home(Store.of(lab)) / "1/2/qalab").mkdir(parents=True)
    result = qalab(lab, "bisect", "--cancel", "1", "--json")
    assert json.loads(result.stdout)[0]["outcome"] == "cancelled"
    assert sorted(path.name for path in bisections.home(Store.of(lab)).iterdir()) == ["1.json"]
    assert "has ended: cancelled" in str(qalab(lab, "bisect", "--cancel", "1").exception)
    assert "no bisection 7" in str(qalab(lab, "bisect", "--cancel", "7").exception)


@pytest.mark.integration
def test_result_is_rejected(lab: Lab, searched: list[Bisection]) -> None:
    qalab(lab, "bisect", "trunk", "greet")
    assert "accuses nothing" in str(qalab(lab, "bisect", "--reject", "1").exception)
    done = searched[0].model_copy(
        update={"outcome": "found", "suspects": searched[0].axes[0].changes[:1], "message": "proved: it"}
    )
    done.write(bisections.path(Store.of(lab), 1))
    assert done.is_proved
    qalab(lab, "bisect", "--reject", "1", "--reason", "the test is wrong", "--by", "Bea")
    assert not bisections.existing(Store.of(lab), 1).is_proved
    assert "1: trunk/greet: proved: it (rejected by Bea: the test is wrong)" in qalab(lab, "bisect", "--list").stdout


@pytest.mark.integration
def test_call_with_the_end_of_a_name_continues(lab: Lab, searched: list[Bisection]) -> None:
    qalab(lab, "bisect", "trunk", "greet")
    sought = Sought(phase="build", kind="test", name="suite/case")
    searched[0].model_copy(update={"sought": sought}).write(bisections.path(Store.of(lab), 1))
    qalab(lab, "bisect", "trunk", "greet", "--test", "case")
    assert [each.number for each in searched] == [1, 1]


@pytest.mark.integration
def test_call_that_names_other_ends_starts_another_search(lab: Lab, searched: list[Bisection], tmp_path: Path) -> None:
    known = commits(tmp_path)
    for _ in range(2):
        qalab(lab, "bisect", "trunk", "greet")
        qalab(lab, "bisect", "trunk", "greet", "--good", known[1], "--bad", known[3])
    assert [each.good.commit for each in searched] == [known[0], known[1]] * 2
    assert [each.number for each in searched] == [1, 2, 1, 2]


@pytest.mark.integration
def test_search_that_cannot_go_on_is_cancelled(lab: Lab, searched: list[Bisection]) -> None:
    """It would end each later call for the track with the same error."""
    qalab(lab, "bisect", "trunk", "greet")
    lost = searched[0].bad.model_copy(update={"state": "trunk-20260101T000000Z-00000000"})
    searched[0].model_copy(update={"bad": lost}).write(bisections.path(Store.of(lab), 1))
    searched[0].model_copy(update={"component": "gone", "number": 2}).write(bisections.path(Store.of(lab), 2))
    said: list[str] = []
    bisecting.idle(lab, "trunk", said.append, None)
    assert [each.outcome for each in bisections.all_of(Store.of(lab))] == ["cancelled", "cancelled"]
    assert said == [
        "bisection 1: cancelled: the archive has no state trunk-20260101T000000Z-00000000 any more",
        "bisection 2: cancelled: trunk has no component gone any more",
    ]


@pytest.mark.integration
def test_rewritten_branch_of_one_component_keeps_no_other_from_the_search(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], searched: list[Bisection], tmp_path: Path
) -> None:
    more = {"components": {"later": {"upstream": {"git": str(tmp_path / "later")}, "packaging": {"git": "/x"}}}}
    lab = lab_factory(upstream=tmp_path / "upstream", lab=more)
    for name in ("upstream", "later"):
        found = history(tmp_path / name, [{"greet.txt": f"{name} {number}"} for number in range(5)])
        component = "greet" if name == "upstream" else name
        for commit, failed in (("1" * 40 if name == "upstream" else found[0], ""), (found[-1], "sbuild")):
            run = Store.of(lab).new_run(lab, "trunk", component, commit)
            record_steps(Bench(lab, run), commit, failed)
    said: list[str] = []
    bisecting.idle(lab, "trunk", said.append, None)
    assert [one.component for one in searched] == ["later"]
    assert "bisection of greet" in said[0]


@pytest.mark.integration
def test_request_to_cancel_outlives_the_pause_of_the_search(lab: Lab, searched: list[Bisection]) -> None:
    """The search pauses at the moment when somebody wants it cancelled, and another call finds it in use."""
    qalab(lab, "bisect", "trunk", "greet")
    store = Store.of(lab)
    lock = store.lock_path("bisection", "1")
    with ThreadPoolExecutor() as pool:
        with files.locked(lock):
            asked = pool.submit(bisecting.cancelled, lab, store, 1)
            while not cancel_path(store, 1).exists():
                pass
        assert asked.result().outcome == "cancelled"
    assert not cancel_path(store, 1).exists()


@pytest.mark.integration
def test_track_of_other_things_than_commits_is_refused(lab: Lab) -> None:
    track = lab.tracks["trunk"].model_copy(update={"trigger": "review"})
    with pytest.raises(ConfigurationError, match="only commits are bisected"):
        bisecting.check_trigger(lab.model_copy(update={"tracks": {"trunk": track}}), "trunk")


@pytest.mark.integration
def test_run_without_result_does_not_count_as_untestable(
    lab: Lab, searched: list[Bisection], bench: Callable[..., Bench], tmp_path: Path
) -> None:
    """The lab was at fault in a run between the ends: its commit can be tested."""
    known = commits(tmp_path)
    for commit, failed, sbuild in (
        (known[0], "", "passed"), (known[1], "sbuild", "error"), (known[2], "sbuild", "failed"), (known[4], "lintian", "passed"),
    ):  # fmt: skip
        one = bench(lab, commit)
        record_steps(one, commit, failed)
        record = one.run.record("sbuild")
        assert record
        update = {"verdict": sbuild, "facts": {"installed": {"make": "4.3"}}}
        record.model_copy(update=update).write(one.run.record_path("sbuild"))
    broken = first_bad.find(lab, "trunk", "greet", "lintian")
    assert broken
    assert broken.known == {known[2]: "skip"}


@pytest.mark.integration
def test_run_of_an_older_commit_is_no_fix(
    lab: Lab, searched: list[Bisection], bench: Callable[..., Bench], tmp_path: Path
) -> None:
    known = commits(tmp_path)
    qalab(lab, "bisect", "trunk", "greet", "--good", known[0], "--bad", known[3])
    for place, is_fixed in ((2, False), (4, True)):
        one = bench(lab, known[place])
        one.run.write_info(one.run.info.model_copy(update={"started": "2099-01-01T00:00:00.000Z"}))
        record_steps(one, known[place], "")
        assert first_bad.passes_now(lab, searched[0]) is is_fixed


@pytest.mark.integration
def test_results_of_a_job_that_was_made_again_are_kept(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its builds count from 1, below the numbers of the old job."""
    monkeypatch.setattr(jenkins_results, "MOST_KEPT", 2)
    asked = lab.model_copy(update={"bisection": lab.bisection.model_copy(update={"job": True})})
    home = Store.of(lab).jenkins_results("trunk", "greet", "build")
    for age, number in enumerate((107, 108, 1)):
        monkeypatch.setenv("BUILD_URL", f"https://jenkins.example/{number}/")
        monkeypatch.setenv("BUILD_NUMBER", str(number))
        workspace = open_run(tmp_path / f"workspace{number}", lab, "trunk", "greet")
        record_steps(Bench(lab, workspace), commits(tmp_path)[0], "")
        jenkins_results.keep(asked, workspace)
        os.utime(home / str(number), (EPOCH + age, EPOCH + age))
    assert {path.name for path in home.iterdir()} == {"108", "1"}


@pytest.mark.integration
def test_damaged_result_of_jenkins_is_left_out(lab: Lab) -> None:
    damaged = Store.of(lab).jenkins_results("trunk", "greet", "build") / "3" / "run.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    assert [run.id for run in Store.of(lab).history("trunk", "greet")] == ["trunk/greet/1", "trunk/greet/2"]


@pytest.mark.integration
def test_damaged_record_stops_no_other_search(lab: Lab, searched: list[Bisection]) -> None:
    """Its number is not used again, and what keeps states for it refuses to guess."""
    store = Store.of(lab)
    files.write_atomic(bisections.path(store, 7), '{"schema": 1, "number": 7}')
    done = qalab(lab, "bisect", "trunk")
    assert (done.exit_code, [each.number for each in searched]) == (0, [8]), done.output
    assert "7.json" in done.output
    listed = qalab(lab, "bisect", "--list")
    assert listed.exit_code == 2
    assert "8: trunk/greet" in listed.stdout
    assert "7.json" in listed.stderr
    with pytest.raises(ConfigurationError, match=r"7\.json"):
        bisections.states_in_use(store)


@pytest.mark.integration
def test_list_has_one_line_for_a_case_of_several(lab: Lab, searched: list[Bisection]) -> None:
    qalab(lab, "bisect", "trunk", "greet")
    sought = Sought(phase="build", kind="test", name="suite/case\nof two lines")
    searched[0].model_copy(update={"sought": sought}).write(bisections.path(Store.of(lab), 1))
    assert qalab(lab, "bisect", "--list").stdout.splitlines() == [
        "1: trunk/greet: suite/case of two lines: open, 0 tests"
    ]
