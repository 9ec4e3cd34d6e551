"""The local runner: a phase step by step, exactly as Jenkins runs it, and a watch over upstream.

Killed at any moment it can go on: a record that says ``passed`` is believed, all else is done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.git import GitMirror
from lab.config.description import PHASES, Lab, Phase
from lab.store import step
from lab.store.records import Record
from lab.store.runs import HANDED_OVER, WHOLE, Run, Store, phase_steps
from lab.store.standing import cut_short
from scripts.archives import proposed
from scripts.registry import STEPS
from scripts.upstream import commit_selection


class Listener(Protocol):
    """Who wants to know how a run goes on."""

    def waiting(self, current: Run) -> None:
        """Another run of the same component in the same track is under way; this one waits."""

    def started(self, current: Run, name: str) -> None:
        """A step begins."""

    def kept(self, current: Run, record: Record) -> None:
        """A step of an earlier try is believed."""

    def ended(self, current: Run, record: Record) -> None:
        """A step is over, one way or another."""


def run_phase(
    lab: Lab, current: Run, listener: Listener, *, first: str | None = None, until: str | None = None
) -> Record | None:
    """Run what is left of a run's phase; the record that ended it, None when there was nothing to do.

    ``first``: done again from this step on, whatever the records say; ``until``: the last step.
    Raises ConfigurationError for a step the phase does not have, Aborted when interrupted.
    """
    steps = current.steps
    begin, end = span(steps, first, until)
    last: Record | None = None
    with _turn(lab, current, listener), current.held():
        for name in steps[begin:]:  # what is to be done again must not be believed by anyone meanwhile
            current.record_path(name).unlink(missing_ok=True)
        for name in steps[:end]:
            done = current.record(name)
            if done and done.finished_well:
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
    return last


def next_run(lab: Lab, finished: Run) -> Run | None:
    """The run of the phase behind that of a run which went well.

    It is about the same commit and the version that was built.  None when the track has no other, and behind a
    deployment that hands nothing over.
    """
    info = finished.info
    later = following_phases(lab, finished)
    if not later:
        return None
    return Store.of(lab).new_run(
        lab, info.track, info.component, info.commit or info.revision, phase=later[0], version=finished.version
    )


def following_phases(lab: Lab, finished: Run) -> list[Phase]:
    """The phases that are to follow a run which went well: a deployment must have handed something over."""
    info = finished.info
    nothing = info.phase == "deploy" and not (finished.results / HANDED_OVER).exists()
    return [] if nothing else later_phases(lab, info.track, info.phase)


def later_phases(lab: Lab, track: str, phase: Phase) -> list[Phase]:
    """The phases of a track behind one."""
    order = list(PHASES)
    return [each for each in lab.tracks[track].phases if order.index(each) > order.index(phase)]


def check_span(lab: Lab, track: str, phase: Phase, first: str | None, until: str | None) -> None:
    """Raises ConfigurationError for steps that there are not, or in the wrong order.

    ``first`` is of the phase that is done (again), ``until`` of that or a later one of the track.
    """
    steps = phase_steps(phase)
    later = [step for each in later_phases(lab, track, phase) for step in phase_steps(each)]
    span((*steps, *later), first, until)
    span(steps, first, None)


def span(steps: tuple[str, ...], first: str | None, until: str | None) -> tuple[int, int]:
    """From which step on all is done again (behind the last one: from none), and behind which it ends.

    Raises ConfigurationError for steps that there are not, or in the wrong order.
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
def _turn(lab: Lab, current: Run, listener: Listener) -> Iterator[None]:
    """One run at a time of a component in a track: versions must rise one after the other."""
    path = Store.of(lab).lock_path("run", current.info.track, current.info.component)
    if files.is_locked(path):
        listener.waiting(current)
    with files.locked(path):
        yield


def unfinished(store: Store, track: str | None = None, component: str | None = None) -> Run | None:
    """The newest run that is neither passed nor under way."""
    runs = sorted(store.runs(track, component), key=lambda run: run.info.started)  # of one moment: by number
    return next((run for run in reversed(runs) if run.verdict not in {"passed", "unstable", "running"}), None)


def to_go_on(lab: Lab, track: str | None = None, component: str | None = None) -> Run | None:
    """The newest run that went well and that nothing has followed, though its track has a phase behind it."""
    newest = {(run.info.track, run.info.component): run for run in Store.of(lab).runs(track, component)}
    well = [run for run in newest.values() if run.info.track in lab.tracks and run.verdict in {"passed", "unstable"}]
    waiting = [run for run in well if following_phases(lab, run)]
    return max(waiting, key=lambda run: run.info.started, default=None)


def new_commits(lab: Lab, track: str, component: str) -> list[str]:
    """Upstream commits that no run of the track has tested, oldest first.

    They are the states that the branch itself has had (first parents).  The first time, and when
    the branch was rewritten, it is the tip alone.
    """
    store = Store.of(lab)
    upstream = lab.component(component, track).upstream
    mirror = GitMirror.of(upstream.git)
    with _watch_log(lab) as log:
        mirror.fetch(log)
    tip = mirror.resolve(f"refs/heads/{upstream.branch}")
    if tip is None:
        there = commit_selection.abbreviated(commit_selection.branches(mirror))
        raise ConfigurationError(f"{upstream.git}: no branch {upstream.branch}; branches: {there}")
    tested = [run.info.commit for run in store.runs(track, component, "build") if run.info.commit]
    if tip in tested:
        return []
    if not tested or not mirror.is_ancestor(tested[-1], tip):
        return [tip]
    # All that were tested, not the last one alone: that may have been an older one, on purpose.
    behind = [f"^{commit}" for commit in set(tested)]
    return mirror.git("rev-list", "--reverse", "--first-parent", "--ignore-missing", tip, *behind).split()


@contextmanager
def _watch_log(lab: Lab) -> Iterator[IO[str]]:
    path = Store.of(lab).root / "watch.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as log:
        yield log


def watch(lab: Lab, track: str, seconds: float, *, once: bool, say: Callable[[str], None] = print) -> Iterator[Run]:
    """Poll upstream, or the -proposed pocket, for ever; yield a fresh run for each new commit, in order, or what waits.

    Whoever takes a run runs it before asking for the next.  An upstream that cannot be asked keeps
    nobody from the others': it is said, and asked again in the next round.  With ``once`` there is one
    round, and at its end the last such error is raised.
    """
    ask = _new_proposed if lab.tracks[track].trigger == "proposed" else _new_upstream
    while True:
        troubles: list[LabError] = []
        yield from ask(lab, track, troubles)
        for trouble in troubles[: -1 if once else None]:
            say(str(trouble))
        if once and troubles:
            raise troubles[-1]
        if once:
            return
        time.sleep(seconds)


def _new_upstream(lab: Lab, track: str, troubles: list[LabError]) -> Iterator[Run]:
    for component in lab.components_of(track):
        try:
            commits = new_commits(lab, track, component)
        except (ConfigurationError, InfrastructureError) as error:
            troubles.append(error)
            continue
        for commit in commits:
            yield Store.of(lab).new_run(lab, track, component, commit)


def _new_proposed(lab: Lab, track: str, troubles: list[LabError]) -> Iterator[Run]:
    """All that waits is deployed together."""
    try:
        with _watch_log(lab) as log:
            versions = proposed.waiting(lab, track, WHOLE, log).versions
    except (ConfigurationError, InfrastructureError) as error:
        troubles.append(error)
        return
    if proposed.is_new(lab, track, versions):
        yield Store.of(lab).new_run(lab, track, WHOLE, phase=lab.tracks[track].phases[0])
