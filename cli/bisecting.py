"""What ``bisect`` and ``watch --bisect`` share: start a bisection, continue it, and choose the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Final

from lab.base import environment, files
from lab.base.errors import ConfigurationError, LabError
from lab.config.description import Lab
from lab.results.breakages import Kind
from lab.store import bisections
from lab.store.archive import ArchiveReader
from lab.store.bisections import Bisection, BisectionOutcome, Sought
from lab.store.records import rfc3339
from lab.store.run_directory import Run, phase_steps
from lab.store.runs import Store
from reports import first_bad
from reports.first_bad import FirstBad
from scripts.bisection import axes, opening
from scripts.bisection.bisector import Bisector, Judged, cancel_path
from scripts.bisection.opening import BisectionRequest
from scripts.bisection.scratch import Workshop

ITSELF: Final = "qalab"
"""Who has started a search that nobody asked for."""
DAY: Final = timedelta(hours=24)


@contextmanager
def logged(store: Store) -> Iterator[IO[str]]:
    """Open the log of the programs that a bisection runs itself."""
    store.root.mkdir(parents=True, exist_ok=True)
    with (store.root / "bisect.log").open("a", encoding="utf-8", errors="surrogateescape") as log:
        yield log


def check_trigger(lab: Lab, track: str) -> None:
    """Raise ConfigurationError for a track that does not test commits."""
    if lab.tracks[track].trigger != "commit":
        raise ConfigurationError(f"{track}: its trigger is {lab.tracks[track].trigger}: only commits are bisected")


def open_one(store: Store, track: str, component: str, case: str) -> Bisection | None:
    """Return the open bisection of a component, about a case if one is named."""
    found = bisections.all_of(store, track, component)
    return next((one for one in found if one.outcome == "open" and (not case or one.sought.is_named(case))), None)


@dataclass(frozen=True)
class RangeChoice:
    """What a call says of the range: all of it is optional where the runs show a breakage."""

    case: str = ""
    phase: str = ""
    good: str = ""
    bad: str = ""

    def sought(self, lab: Lab, track: str) -> Sought:
        """Return what is sought where no run shows it.  Raises ConfigurationError for a phase that the track has not."""
        known = lab.tracks[track].phases
        phase = next((name for name in known if name == (self.phase or known[0])), None)
        if phase is None:
            raise ConfigurationError(f"{track} has no phase {self.phase}; known: {', '.join(known)}")
        kind: Kind = "run" if not self.case else "step" if self.case in phase_steps(phase) else "test"
        return Sought(phase=phase, kind=kind, name=self.case)


def begin(lab: Lab, track: str, component: str, chosen: RangeChoice, by: str, log: IO[str]) -> Bisection:
    """Start a bisection, of the breakage that the runs show, or of a range that the call names.

    Raises ConfigurationError where nothing is broken, or an end is not known.
    """
    broken = first_bad.find(lab, track, component, chosen.case)
    good, bad = chosen.good, chosen.bad
    if broken is None:
        if not (good and bad):
            what = chosen.case or component
            hint = "name --good and --bad"
            raise ConfigurationError(f"{what} is not broken in {track}, as far as its runs show", hint=hint)
        asked = BisectionRequest(track, component, chosen.sought(lab, track), good, bad, by=by)
        return opening.begin(lab, asked, log)
    if broken.good is None and not good:
        raise ConfigurationError(f"{broken.sought} has never been good in {track}", hint="name --good")
    ends = (good or (broken.good.info.commit if broken.good else ""), bad or broken.bad.info.commit)
    asked = BisectionRequest(
        track, component, broken.sought, *ends,
        good_run=None if good else broken.good, bad_run=None if bad else broken.bad,
        fails_good=broken.fails_good, known=broken.known, by=by,
    )  # fmt: skip
    return opening.begin(lab, asked, log)


def carry_on(
    lab: Lab,
    found: Bisection,
    jobs: int,
    log: IO[str],
    say: Callable[[str], None],
    pause: Callable[[], bool] = lambda: False,
) -> Bisection:
    """Go on with a bisection until its end, or until ``pause``; return its record."""
    store, seen = Store.of(lab), -1

    def judge(runs: Sequence[Run], sought: Sought) -> Judged:
        return Judged(*first_bad.judged(lab, runs, sought))

    def stop() -> BisectionOutcome | None:
        nonlocal seen
        if cancel_path(store, found.number).exists():
            return "cancelled"
        if seen != len(bisector.found.tests):
            seen = len(bisector.found.tests)
            if first_bad.passes_now(lab, found):
                return "fixed"
        return "open" if pause() else None

    bisector = Bisector(lab, found, jobs, judge, log, say, stop)
    say(f"bisection {found.number}: {found.sought}: {len(found.axes[0].changes)} commits")
    done = bisector.run()
    if done.outcome != "open":
        cancel_path(store, found.number).unlink(missing_ok=True)
    return done


def cancelled(lab: Lab, store: Store, number: int, why: str = "") -> Bisection:
    """Cancel a bisection, after the process that works on it has stopped its probes; ``why``: a note for people."""
    found = bisections.existing(store, number)
    if found.outcome != "open":
        raise ConfigurationError(f"the bisection {number} has ended: {found.outcome}")
    asks = cancel_path(store, number)
    files.write_atomic(asks, "")
    with files.locked(store.lock_path("bisection", str(number))):
        found = bisections.existing(store, number)
        if found.outcome == "open":  # nobody works on it, or has paused it
            notes = (*found.notes, why) if why else found.notes
            end = {"outcome": "cancelled", "finished": rfc3339(environment.now()), "notes": notes}
            Workshop(lab, found, store).clear(kept=True)
            found = found.model_copy(update=end)
            found.write(bisections.path(store, number))
        asks.unlink(missing_ok=True)
    return found


def idle(lab: Lab, track: str, say: Callable[[str], None], seconds: float | None) -> None:
    """Continue the open bisection of a track, or start the next one, while nothing else is to be done.

    ``seconds``: the time until the next poll; then no new probe is started.  None: go on until the end.
    """
    store = Store.of(lab)
    with logged(store) as log:
        try:
            if found := next_one(lab, track, store, log, say):
                say(carry_on(lab, found, lab.bisection.jobs, log, say, after(seconds)).message)
        except LabError as error:  # a watch goes on
            say(f"bisection: {error}")


def after(seconds: float | None) -> Callable[[], bool]:
    """Return a function that says whether a time from now is over; None: never."""
    began = environment.now()
    return lambda: seconds is not None and environment.now() - began > timedelta(seconds=seconds)


def next_one(lab: Lab, track: str, store: Store, log: IO[str], say: Callable[[str], None]) -> Bisection | None:
    """Return the open bisection of a track, or a new one of the breakage that is due; None where nothing is."""
    for line in bisections.damage(store):
        say(f"bisection: {line}")
    known = bisections.all_of(store, track)
    for one in known:
        if one.outcome == "open":
            why = _obstacle(lab, one, store)
            if not why:
                return one
            say(f"bisection {one.number}: cancelled: {why}")
            cancelled(lab, store, one.number, why)
    now = environment.now()
    today = [one for one in known if abs(now - datetime.fromisoformat(one.started)) < DAY and one.by == ITSELF]
    if len(today) >= lab.bisection.per_day:
        return None
    for component in lab.components_of(track):
        try:
            broken = first_bad.find(lab, track, component)
            if broken and is_due(lab, track, component, broken, known, log):
                return begin(lab, track, component, RangeChoice(), ITSELF, log)
        except LabError as error:  # a branch that was rewritten, for example; the other components are searched
            say(f"bisection of {component}: {error}")
    return None


def _obstacle(lab: Lab, one: Bisection, store: Store) -> str:
    """Return why an open bisection can never go on; "" where it can."""
    if one.component not in lab.components_of(one.track):
        return f"{one.track} has no component {one.component} any more"
    if one.bad.state and not ArchiveReader.at(store.archive).has(one.bad.state):
        return f"the archive has no state {one.bad.state} any more"
    return ""


def is_due(lab: Lab, track: str, component: str, broken: FirstBad, known: Sequence[Bisection], log: IO[str]) -> bool:
    """Return whether a breakage has more than one suspect commit, and was not bisected before."""
    if broken.good is None or any(
        (one.component, one.sought) == (component, broken.sought) and one.started > broken.bad.info.started
        for one in known
    ):
        return False
    ends = broken.good.info.commit, broken.bad.info.commit
    return len(axes.upstream(lab, track, component, *ends, log).changes) > 1
