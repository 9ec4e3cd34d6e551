"""The bisections of a lab that have ended with an answer, for the site and for mails."""

from __future__ import annotations

from collections import Counter
from typing import Final

from lab.config.description import Lab
from lab.results.breakages import Kind, Subject
from lab.store import bisections
from lab.store.bisections import Bisection, BisectionOutcome, ChangeKind
from lab.store.runs import Store
from reports.model import FrozenModel

SHOWN_OUTCOMES: Final[frozenset[BisectionOutcome]] = frozenset(
    {"found", "range", "bad is good", "unexplained", "unsure", "end not testable"}
)
MOST_SUSPECTS: Final = 50
MOST_BISECTIONS: Final = 200


class PublicChange(FrozenModel):
    """A change that is accused, or tested; ``id``: the commit, the component, or the packages of the distribution."""

    kind: ChangeKind
    id: str
    before: str
    after: str
    subject: str
    author: str


class PointCounts(FrozenModel):
    """A point of a bisection: the change that leads to it (None: the older end), and how often it passed and failed."""

    change: PublicChange | None
    passed: int
    failed: int
    untestable: int
    message: str


class PublicBisection(FrozenModel):
    """A bisection: ``kind`` and ``name`` are those of the breakage, ``rejected`` is the reason of the human who did."""

    number: int
    track: str
    component: str
    phase: str
    kind: Kind
    name: str
    outcome: BisectionOutcome
    message: str
    started: str
    finished: str
    suspects: tuple[PublicChange, ...]
    suspect_count: int
    points: tuple[PointCounts, ...]
    notes: tuple[str, ...]
    rejected: str

    @property
    def accuses(self) -> bool:
        """Whether it names a culprit, and nobody has rejected that."""
        return self.outcome in {"found", "range"} and not self.rejected

    def explains(self, component: str, track: str, phase: str, subject: Subject, since: str) -> bool:
        """Return whether it is about a breakage; ``since``: its first bad build began then."""
        about = (self.component, self.track, self.phase) == (component, track, phase)
        same = not self.name or (self.kind, self.name) == subject
        return self.accuses and about and same and self.started > since


Bisections = tuple[PublicBisection, ...]


def of_lab(lab: Lab) -> Bisections:
    """Return the newest bisections with an answer, oldest first; unredacted."""
    found = [one for one in bisections.all_of(Store.of(lab)) if one.outcome in SHOWN_OUTCOMES]
    return tuple(_public(one) for one in found[-MOST_BISECTIONS:])


def _public(one: Bisection) -> PublicBisection:
    rejected = one.rejected
    return PublicBisection(
        number=one.number,
        track=one.track,
        component=one.component,
        phase=one.sought.phase,
        kind=one.sought.kind,
        name=one.sought.name,
        outcome=one.outcome,
        message=one.message,
        started=one.started,
        finished=one.finished,
        suspects=tuple(map(_change, one.suspects[:MOST_SUSPECTS])),
        suspect_count=len(one.suspects),
        points=_points(one),
        notes=one.notes,
        rejected=f"{rejected.who}: {rejected.reason or 'it is wrong'}" if rejected else "",
    )


def _change(change: bisections.BisectedChange) -> PublicChange:
    return PublicChange(id=change.name, **{name: getattr(change, name) for name in _COPIED})


_COPIED: Final = ("kind", "before", "after", "subject", "author")


def _points(one: Bisection) -> tuple[PointCounts, ...]:
    """Return the points of the last axis that were tested, in their order."""
    axis = len(one.axes) - 1
    tests = [test for test in one.tests if test.axis == axis]
    counts = Counter((test.point, test.result) for test in tests)
    messages = {test.point: test.message for test in tests}
    changes = one.axes[axis].changes
    return tuple(
        PointCounts(
            change=_change(changes[point - 1]) if point else None,
            passed=counts[point, "good"],
            failed=counts[point, "bad"],
            untestable=counts[point, "skip"] + counts[point, "error"],
            message=messages[point],
        )
        for point in sorted(messages)
    )
