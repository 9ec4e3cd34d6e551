"""The runner: steps that it executes, keeps and repeats, and their order."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.description import PHASES, Lab, Phase
from lab.store.records import Record
from lab.store.run_directory import HANDED_OVER, Run
from lab.store.runs import Store
from lab.store.step import StepContext, StepOutcome
from scripts.archives import kept_packages
from scripts.phases import runner
from tests.conftest import Bench, GitRepository, packaging_files


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.waits = threading.Event()

    def waiting(self, current: Run) -> None:
        self.waits.set()

    def started(self, current: Run, name: str) -> None:
        self.events.append(f"start {name}")

    def kept(self, current: Run, record: Record) -> None:
        self.events.append(f"keep {record.step}")

    def ended(self, current: Run, record: Record) -> None:
        self.events.append(f"{record.verdict} {record.step}")


@pytest.fixture
def upstream(git_repository: Callable[..., GitRepository]) -> GitRepository:
    repository = git_repository("upstream")
    repository.commit("Start", {"greet.txt": "hello\n"})
    repository.tag("v1.0")
    return repository


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository], upstream: GitRepository) -> Lab:
    packaging = git_repository("packaging")
    packaging.commit("Package it", packaging_files())
    return lab_factory(upstream=upstream.path, packaging=packaging.path)


@pytest.mark.integration
def test_resume_keeps_finished_steps(lab: Lab) -> None:
    current = Store.of(lab).new_run(lab, "trunk", "greet")
    first, second, third = Heard(), Heard(), Heard()
    runner.run_phase(lab, current, first, until="packaging")
    assert first.events == ["start snapshot", "passed snapshot", "start packaging", "passed packaging"]

    runner.run_phase(lab, current, second, until="changelog")
    assert second.events == ["keep snapshot", "keep packaging", "start changelog", "passed changelog"]

    runner.run_phase(lab, current, third, first="packaging", until="packaging")
    assert third.events == ["keep snapshot", "start packaging", "passed packaging", "keep changelog"]
    fourth = Heard()
    runner.run_phase(lab, current, fourth, until="changelog")  # its entries are those of the older packaging
    assert fourth.events == ["keep snapshot", "keep packaging", "start changelog", "passed changelog"]


@pytest.mark.parametrize("step", ["snapshot", "packaging", "source", "sbuild", "push"])
def test_resume_repeats_what_is_older_than_an_earlier_step(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    current, heard, again = Store.of(lab).new_run(lab, "trunk", "greet"), Heard(), Heard()
    steps = {name: SimpleNamespace(action=lambda _: StepOutcome("done")) for name in current.steps}
    monkeypatch.setattr(runner, "STEPS", steps)
    for name in current.steps:
        Bench(lab, current).pretend(name)
    runner.run_phase(lab, current, Heard(), first=step, until=step)
    runner.run_phase(lab, current, heard)
    kept, later = current.steps[: current.steps.index(step) + 1], current.steps[current.steps.index(step) + 1 :]
    repeated = [f"{what} {name}" for name in later for what in ("start", "passed")]
    assert heard.events == [*(f"keep {name}" for name in kept), *repeated]
    runner.run_phase(lab, current, again)
    assert again.events == [f"keep {name}" for name in current.steps]


@pytest.mark.parametrize("step", ["snapshot", "lintian", "archive", "push"])
def test_single_step_keeps_records_of_later_steps(lab: Lab, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    current, heard = Store.of(lab).new_run(lab, "trunk", "greet"), Heard()
    bench = Bench(lab, current)
    before = {name: bench.pretend(name, message="before") for name in current.steps}
    again = SimpleNamespace(action=lambda _: StepOutcome("again"))
    monkeypatch.setattr(runner, "STEPS", {**runner.STEPS, step: again})
    runner.run_phase(lab, current, heard, first=step, until=step)
    place = current.steps.index(step)
    kept = [f"keep {name}" for name in current.steps]
    assert heard.events == [*kept[:place], f"start {step}", f"passed {step}", *kept[place + 1 :]]
    assert [record.message for record in current.records() if record.step != step] == ["before"] * (len(before) - 1)
    assert current.record(step).message == "again"
    assert current.verdict == "passed"


@pytest.mark.parametrize(
    "done, verdict, first, missing, state",
    [
        (0, "passed", "lintian", "snapshot", "not run"),
        (4, "passed", "lintian", "sbuild", "not run"),
        (5, "failed", "lintian", "sbuild", "failed"),
        (5, "running", "content", "sbuild", "aborted"),
        (9, "error", "push", "upload", "error"),
    ],
)
def test_single_step_without_earlier_step_is_refused(  # noqa: PLR0917 - a table
    lab: Lab, done: int, verdict: str, first: str, missing: str, state: str
) -> None:
    current, heard = Store.of(lab).new_run(lab, "trunk", "greet"), Heard()
    steps = current.steps
    for name in (*steps[:done], *steps[steps.index(first) :]):
        Bench(lab, current).pretend(name)
    if done and verdict != "passed":
        last = current.record(steps[done - 1])
        assert last
        last.model_copy(update={"verdict": verdict}).write(current.record_path(steps[done - 1]))
    before = current.records()
    expected = rf"cannot start from {first}: the earlier step {missing} is {state} \(qalab run --run trunk/greet/1 --from {missing}\)"
    with pytest.raises(ConfigurationError, match=expected):
        runner.run_phase(lab, current, heard, first=first, until=first)
    assert (heard.events, current.records()) == ([], before)


def test_single_step_failure_is_verdict_of_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    current, heard = Store.of(lab).new_run(lab, "trunk", "greet"), Heard()
    for name in current.steps:
        Bench(lab, current).pretend(name)

    def action(context: StepContext) -> StepOutcome:
        raise InfrastructureError("no room")

    monkeypatch.setattr(runner, "STEPS", {**runner.STEPS, "lintian": SimpleNamespace(action=action)})
    runner.run_phase(lab, current, heard, first="lintian", until="lintian")
    assert current.verdict == "error"
    assert current.record("archive").verdict == "passed"  # the archive has it regardless of the new lintian result


def test_step_with_bug_ends_phase(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def action(context: StepContext) -> StepOutcome:
        raise TypeError("planted")

    monkeypatch.setattr(runner, "STEPS", {**runner.STEPS, "snapshot": SimpleNamespace(action=action)})
    current, heard = Store.of(lab).new_run(lab, "trunk", "greet"), Heard()
    ended = runner.run_phase(lab, current, heard)
    assert heard.events == ["start snapshot", "error snapshot"]
    assert ended is not None
    assert (ended.exit_code, current.verdict) == (70, "error")


@pytest.mark.parametrize(("most", "stays"), [(0, False), (1, True)])
def test_end_of_phase_bounds_what_is_kept_for_apt(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, most: int, stays: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    package = kept_packages.home() / "mirror/pool/greet.deb"
    package.parent.mkdir(parents=True)
    package.write_bytes(b"x")
    bounded = lab.model_copy(update={"runs": lab.runs.model_copy(update={"keep_packages_gb": most})})
    current = Store.of(lab).new_run(lab, "trunk", "greet", "nosuchcommit")
    assert runner.run_phase(bounded, current, Heard()), "also after an error"
    assert package.exists() == stays


def test_step_failure_ends_phase(lab: Lab, upstream: GitRepository) -> None:
    current = Store.of(lab).new_run(lab, "trunk", "greet", "nosuchcommit")
    heard = Heard()
    ended = runner.run_phase(lab, current, heard)
    assert heard.events == ["start snapshot", "error snapshot"]
    assert ended is not None
    assert ended.exit_code == 2
    assert current.verdict == "error"


@pytest.mark.integration
def test_step_is_aborted_if_record_finds_no_space(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    current, heard, write = Store.of(lab).new_run(lab, "trunk", "greet"), Heard(), Record.write

    def full(self: Record, path: Path) -> None:
        if self.verdict != "running":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(self, path)

    monkeypatch.setattr(Record, "write", full)
    with pytest.raises(OSError, match="No space left on device"):
        runner.run_phase(lab, current, heard)
    assert heard.events == ["start snapshot", "aborted snapshot"]
    monkeypatch.undo()
    runner.run_phase(lab, current, heard, until="snapshot")
    assert heard.events[2:] == ["start snapshot", "passed snapshot"]


def test_unknown_step_is_refused_before_start(lab: Lab) -> None:
    current = Store.of(lab).new_run(lab, "trunk", "greet")
    with pytest.raises(ConfigurationError, match="no step lunch in this phase; known: snapshot, packaging"):
        runner.run_phase(lab, current, Heard(), until="lunch")
    assert current.records() == []


@pytest.mark.integration
def test_until_step_before_first_step_is_refused(lab: Lab) -> None:
    current = Store.of(lab).new_run(lab, "trunk", "greet")
    runner.run_phase(lab, current, Heard(), until="packaging")
    with pytest.raises(ConfigurationError, match="from packaging until snapshot: snapshot comes before it"):
        runner.run_phase(lab, current, Heard(), first="packaging", until="snapshot")
    assert [record.step for record in current.records()] == ["snapshot", "packaging"]


def test_held_run_is_refused(lab: Lab) -> None:
    current = Store.of(lab).new_run(lab, "trunk", "greet")
    with current.held(), pytest.raises(InfrastructureError, match="another process works on this run"):
        runner.run_phase(lab, current, Heard(), until="snapshot")


@pytest.mark.integration
def test_runs_of_one_component_wait_for_lock(lab: Lab) -> None:
    current, heard = Store.of(lab).new_run(lab, "trunk", "greet"), Heard()
    with files.locked(Store.of(lab).lock_path("run", "trunk", "greet")):
        thread = threading.Thread(target=runner.run_phase, args=(lab, current, heard), kwargs={"until": "snapshot"})
        thread.start()
        assert heard.waits.wait(60)
        assert heard.events == []
    thread.join(60)
    assert heard.events == ["start snapshot", "passed snapshot"]


def test_unfinished_run_is_the_newest(lab: Lab) -> None:
    store = Store.of(lab)
    assert runner.unfinished(store) is None
    runs = [store.new_run(lab, "trunk", "greet") for _ in range(2)]
    for run in runs:  # in the same millisecond
        run.write_info(run.info.model_copy(update={"started": "2026-01-01T00:00:00.000Z"}))
    found = runner.unfinished(store, "trunk", "greet")
    assert found is not None
    assert found.path == runs[-1].path


@pytest.fixture
def three(lab_factory: Callable[..., Lab], upstream: GitRepository) -> Lab:
    """A lab whose track has all phases."""
    return lab_factory(upstream=upstream.path, track={"phases": ["build", "deploy", "exercise"]})


def test_next_run_is_next_phase_of_same_commit(three: Lab) -> None:
    store = Store.of(three)
    run = store.new_run(three, "trunk", "greet")
    run.write_info(run.info.model_copy(update={"commit": "a" * 40, "cause": "testing commit"}))
    assert runner.next_run(three, run) is None  # the package was held back
    (run.results / HANDED_OVER).write_text("VERSION=1.0\n")
    following = runner.next_run(three, run)
    assert following is not None
    info = following.info
    assert (following.id, info.phase, info.commit, info.revision) == ("trunk/greet/2", "deploy", "a" * 40, "a" * 40)
    assert info.cause == "testing commit"
    assert following.steps == PHASES["deploy"]
    assert runner.next_run(three, following) is None  # nothing was deployed
    (following.results / HANDED_OVER).write_text("VERSION=1.0\n")
    last = runner.next_run(three, following)
    assert last is not None
    assert last.info.phase == "exercise"
    assert runner.next_run(three, last) is None


@pytest.mark.parametrize(
    ("phase", "first", "until", "message"),
    [
        ("build", None, "exercise", ""),
        ("build", "sbuild", "deploy", ""),
        ("deploy", None, "sbuild", "no step sbuild in this phase; known: deploy, configure, exercise, "),
        ("build", "deploy", None, "the step deploy is of the phase deploy, which has no run yet .qalab run --resume"),
        (
            "build",
            "configure",
            None,
            "the step configure is of the phase deploy, which has no run yet .qalab run --resume",
        ),
        (
            "build",
            "tempest",
            "reset",
            "the step tempest is of the phase exercise, which has no run yet .qalab run --resume",
        ),
        ("exercise", "reset", "exercise", "from reset until exercise: exercise comes before it"),
    ],
)
def test_step_span_across_phases(three: Lab, phase: Phase, first: str | None, until: str | None, message: str) -> None:
    if not message:
        runner.check_span(three, "trunk", phase, first, until)
        return
    with pytest.raises(ConfigurationError, match=message):
        runner.check_span(three, "trunk", phase, first, until)


def test_handed_over_run_without_next_phase_is_resumed(three: Lab) -> None:
    run = Store.of(three).new_run(three, "trunk", "greet", phase="deploy")
    assert runner.to_go_on(three) is None  # it is not finished
    for step in PHASES["deploy"]:
        Bench(three, run).pretend(step)
    assert runner.to_go_on(three) is None  # it was skipped, say: nothing is handed over
    (run.results / HANDED_OVER).write_text("VERSION=1.0\n")
    found = runner.to_go_on(three, "trunk", "greet")
    assert found is not None
    assert found.id == "trunk/greet/1"
    Bench(three, Store.of(three).new_run(three, "trunk", "greet", phase="exercise")).pretend("exercise")
    assert runner.to_go_on(three) is None
