"""The local runner: a phase step by step, as Jenkins runs it.

Killed at any moment it can go on: a record that says ``passed`` is believed, all else is done again.  So is what
began before the end of an earlier step: that step was repeated alone, and its results are others now.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from lab.base import files
from lab.base.errors import ConfigurationError
from lab.config.description import PHASES, Lab, Phase
from lab.store import step
from lab.store.records import Record
from lab.store.run_directory import HANDED_OVER, Run, phase_steps
from lab.store.runs import Store
from lab.store.standing import cut_short
from scripts.archives import kept_packages
from scripts.registry import STEPS

# The fields of run.json about a change under review.
OF_PROPOSAL = ("proposal", "base", "depends_on", "onto")


class Listener(Protocol):
    """A listener for the progress of a run."""

    def waiting(self, current: Run) -> None:
        """Hear that another run of the component in the track is under way, and that this one waits."""

    def started(self, current: Run, name: str) -> None:
        """Hear that a step begins."""

    def kept(self, current: Run, record: Record) -> None:
        """Hear that the record of an earlier try stays."""

    def ended(self, current: Run, record: Record) -> None:
        """Hear that a step has ended, with any verdict."""


def run_phase(
    lab: Lab, current: Run, listener: Listener, *, first: str | None = None, until: str | None = None
) -> Record | None:
    """Run what is left of a run's phase; return the record that ended it, None when there was nothing to do.

    ``first``: done again from this step on, whatever the records say; ``until``: the last step.  Records of later
    steps stay as they are: what they describe (a package in the archive, a pushed branch) has happened.

    Raises ConfigurationError for a step the phase does not have, and where an earlier step than ``first`` has not
    passed; Aborted when interrupted.
    """
    steps = current.steps
    begin, end = span(steps, first, until)
    last: Record | None = None
    with _bounded(lab), _turn(lab, current, listener), current.held():
        check_earlier(current, first)
        if current.info.until != (until or ""):
            current.write_info(current.info.model_copy(update={"until": until or ""}))
        for name in steps[begin:end]:  # no other process must trust the old record meanwhile
            current.record_path(name).unlink(missing_ok=True)
        newest = ""  # the end of the steps so far
        for name in steps[:end]:
            done = current.record(name)
            if done and done.finished_well and done.started >= newest:
                newest = max(newest, done.finished)
                listener.kept(current, done)
                continue
            listener.started(current, name)
            try:
                last = step.execute(name, STEPS[name].action, lab, current)
            finally:
                if record := current.record(name):
                    listener.ended(current, cut_short(record))
            if not last.finished_well:
                return last
            newest = max(newest, last.finished)
        for name in steps[end:]:
            if later := current.record(name):
                listener.kept(current, later)
    return last


def check_earlier(current: Run, first: str | None) -> None:
    """Raise ConfigurationError where a step before ``first`` has not passed: its results are what ``first`` works on."""
    for name in current.steps[: current.steps.index(first)] if first else ():
        record = current.record(name)
        if record is None or not record.finished_well:
            state = cut_short(record).verdict if record else "not run"
            hint = f"qalab run --run {current.id} --from {name}"
            raise ConfigurationError(
                f"{current.id}: cannot start from {first}: the earlier step {name} is {state}", hint=hint
            )


def next_run(lab: Lab, finished: Run) -> Run | None:
    """Make the run of the phase after that of a run which went well.

    It is about the same commit, the version that was built and the state that has it.  None when the track has no later phase, and after a
    run that hands nothing over: a package that was held back, a deployment without anything to deploy.
    """
    info = finished.info
    later = following_phases(lab, finished)
    if not later:
        return None
    following = Store.of(lab).new_run(
        lab, info.track, info.component, info.commit or info.revision, phase=later[0], version=finished.version
    )
    same = {name: getattr(info, name) for name in ("cause", "archive", *OF_PROPOSAL)}
    following.write_info(following.info.model_copy(update=same))
    return following


def following_phases(lab: Lab, finished: Run) -> list[Phase]:
    """Return the phases that follow a run which went well; none when it has handed nothing over."""
    handed_over = (finished.results / HANDED_OVER).exists()
    return later_phases(lab, finished.info.track, finished.info.phase) if handed_over else []


def later_phases(lab: Lab, track: str, phase: Phase) -> list[Phase]:
    """Return the phases of a track after one."""
    order = list(PHASES)
    return [each for each in lab.tracks[track].phases if order.index(each) > order.index(phase)]


def check_span(lab: Lab, track: str, phase: Phase, first: str | None, until: str | None) -> None:
    """Check the steps that a call names.  Raises ConfigurationError for unknown ones, or a wrong order.

    ``first`` is of the phase that is done (again), ``until`` of that or a later one of the track.
    """
    steps = phase_steps(phase)
    later = {step: each for each in later_phases(lab, track, phase) for step in phase_steps(each)}
    span((*steps, *later), first, until)
    if first in later:
        message = f"the step {first} is of the phase {later[first]}, which has no run yet"
        raise ConfigurationError(message, hint="qalab run --resume goes on with it")
    span(steps, first, None)


def span(steps: tuple[str, ...], first: str | None, until: str | None) -> tuple[int, int]:
    """Return the place of the first step that is done again (after the last one: none), and the place after the end.

    Raises ConfigurationError for unknown steps, or a wrong order.
    """
    begin = _place(steps, first) if first else len(steps)
    end = _place(steps, until) + 1 if until else len(steps)
    if first and begin >= end:
        raise ConfigurationError(f"nothing to do from {first} until {until}: {until} comes before it")
    return begin, end


def _place(steps: tuple[str, ...], name: str) -> int:
    if name not in steps:
        raise ConfigurationError(f"no step {name} in this phase; known: {', '.join(steps)}")
    return steps.index(name)


@contextmanager
def _bounded(lab: Lab) -> Iterator[None]:
    """Bound afterwards what this machine keeps for apt."""
    try:
        yield
    finally:
        kept_packages.bound(lab.runs.keep_packages_gb * 10**9)


@contextmanager
def _turn(lab: Lab, current: Run, listener: Listener) -> Iterator[None]:
    """Wait until no other run of the component in the track is under way: versions must rise one after the other.

    The version of a working tree is not compared with any other, so its build waits for none.
    """
    if current.info.working_tree:
        yield
        return
    path = Store.of(lab).lock_path("run", current.info.track, current.info.component)
    if files.is_locked(path):
        listener.waiting(current)
    with files.locked(path):
        yield


def unfinished(store: Store, track: str | None = None, component: str | None = None) -> Run | None:
    """Return the newest run that is neither passed nor under way."""
    # Two runs can start in the same millisecond: the number decides then.
    runs = sorted(store.runs(track, component), key=lambda run: (run.info.started, run.info.number), reverse=True)
    return next((run for run in runs if run.verdict not in {"passed", "unstable", "skipped", "running"}), None)


def to_go_on(lab: Lab, track: str | None = None, component: str | None = None) -> Run | None:
    """Return the newest run that went well and has no run of the next phase, though its track has one."""
    newest = {(run.info.track, run.info.component): run for run in Store.of(lab).runs(track, component)}
    well = [
        run
        for run in newest.values()
        if run.info.track in lab.tracks and run.verdict in {"passed", "unstable", "skipped"}
    ]
    waiting = [run for run in well if following_phases(lab, run)]
    return max(waiting, key=lambda run: run.info.started, default=None)
