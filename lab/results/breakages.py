"""Breakages: a test or a step that was good and is bad, with its first bad range; for each subject of its own.

Pure functions over the runs of a phase of a component on a track, oldest first.  The verdict of a run says only that
something is bad.  What is bad, since when, and after which good run follows from the tests and the steps:

- A run with an error, an abort or a skip says nothing about any subject.
- A step that failed because of its tests is not broken itself: it came as far as the tests.
- If most tests of a run fail (`is_outage`), the run says nothing about a single test: the subject is then `MOST_TESTS`.
  In a small suite, each failing test is a subject, and the doubt of an outage stands beside the commits (`broke_at_once`).
- A run that passed ends all breakages, also those of tests that it did not run (removed, skipped).  A test that is
  absent from `GONE_RUNS` consecutive runs of tests is removed, and so is a step that as many runs skip.
- A run that is `CLOSED` ends the history: what was broken is gone, as its version is.
- A complaint (`lab.results.cases.is_complaint`) is good in a run without it, if that would have made it: lintian, or its suite, ran.
- A subject that has never been good takes the last run that passed as its last good one: a test that is new, or has a
  new name, was not broken then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from lab.results.cases import is_complaint
from lab.results.history import Result

Kind = Literal["test", "step", "run"]
GONE_RUNS: Final = 3
CLOSED: Final = "closed: "
"""The beginning of the message of a run that ends the history, without a verdict."""
MASS_TESTS: Final = 10  # fewer failing tests give results for each of them
FEW_TESTS: Final = 2  # a single test mostly fails for a reason of its own


class Subject(NamedTuple):
    """A test, a step that failed for itself, or the run as a whole."""

    kind: Kind
    name: str


LINTIAN: Final = "lintian"  # the step, and the suite of its tags
MOST_TESTS: Final = Subject("run", "most tests")
RANKS: Final[tuple[Kind, ...]] = ("test", "run", "step")  # of subjects that are broken equally long


def is_outage(failed: int, ran: int) -> bool:
    """Return whether so many of the tests failed that the run says nothing about a single one."""
    return failed >= MASS_TESTS and are_most(failed, ran)


def are_most(failed: int, ran: int) -> bool:
    """Return whether so many of the tests failed that they can have one cause, which is in no test: two or more, and most.

    In suites of two to four tests of which all fail, an outage is about as probable as a commit that broke them all.
    """
    return failed >= FEW_TESTS and failed * 2 > ran


@dataclass(frozen=True)
class RunOutcome:
    """The results of a run: its verdict, the subjects that are bad, the steps that are good or skipped, and the tests that ran.

    ``closes``: whether it ends the history.
    """

    result: Result
    bad: Collection[Subject] = ()
    good_steps: Collection[str] = ()
    ran: frozenset[str] = frozenset()
    closes: bool = False
    skipped_steps: Collection[str] = ()

    def of(self, subject: Subject) -> Result:
        """Return what the run says about a subject."""
        if self.result == "neither":
            return "neither"
        if subject in self.bad:
            return "bad"
        match subject.kind:
            case "test":
                is_good = subject.name in self.ran or (
                    is_complaint(subject.name) and self._has_no_reason_for(subject.name)
                )
            case "step":
                is_good = subject.name in self.good_steps
            case "run":
                is_good = bool(self.ran)
        return "good" if is_good else "neither"

    def _has_no_reason_for(self, complaint: str) -> bool:
        if MOST_TESTS in self.bad:
            return False
        suite, classname, _ = complaint.split("/", 2)
        if suite == LINTIAN:
            return LINTIAN in self.good_steps
        return f"{suite}/{classname}" in _suites(self.ran) or (suite == classname and suite in _suites(self.ran))


@lru_cache(maxsize=256)
def _suites(ran: frozenset[str]) -> frozenset[str]:
    """Return the suites that ran, and their classes; many runs have the same tests."""
    parts = [name.split("/", 2) for name in ran]
    return frozenset({suite for suite, *_ in parts} | {"/".join(part[:2]) for part in parts})


@dataclass(frozen=True)
class Breakage:
    """A streak of bad results of a subject.  All numbers are indexes into the runs.

    ``since``: the first bad run.  ``good``: the last good one before it, so that the first bad range starts after
    ``good`` and ends with ``since``; None if nothing was good before.  ``last``: the last bad run so far, ``count``: the
    number of bad runs.  ``end``: the run that ended it, None while it lasts.  ``is_gone``: it ended without a good result.
    """

    subject: Subject
    since: int
    good: int | None
    last: int
    count: int = 1
    end: int | None = None
    is_gone: bool = False

    @property
    def is_unproved(self) -> bool:
        """Whether a test ended it that no longer runs: nothing says that it would pass."""
        return self.is_gone and self.subject.kind == "test"


def broke_at_once(found: Iterable[Breakage], one: Breakage, run: RunOutcome) -> bool:
    """Return whether a breakage began, in ``run``, as in an outage: most tests failed, and half of those good before broke."""
    if one.subject == MOST_TESTS:
        return True
    failed = sum(map(_is_counted, run.bad))
    ran = sum(not is_complaint(name) for name in run.ran)
    broke = sum(other.since == one.since and _is_counted(other.subject) for other in found)
    is_shared = _is_counted(one.subject) and broke * 2 >= ran - (failed - broke)
    return is_shared and are_most(failed, ran)


def _is_counted(subject: Subject) -> bool:
    """Return whether a subject is a test, and not there only where it is bad."""
    return subject.kind == "test" and not is_complaint(subject.name)


@dataclass
class _Streak:
    """A breakage so far; ``absent``: the number of consecutive runs of other tests, or that skip the step, at its end."""

    since: int
    good: int | None
    last: int
    count: int = 1
    absent: int = 0


@dataclass
class _Fold:
    """The state of the search for breakages after some runs."""

    runs: Sequence[RunOutcome]
    standing: dict[Subject, _Streak] = field(default_factory=dict)
    over: list[Breakage] = field(default_factory=list)
    last_pass: int | None = None
    introduced: dict[str, int] = field(default_factory=dict)
    roster: frozenset[str] = frozenset()
    searched: dict[Subject, tuple[int, int | None]] = field(default_factory=dict)
    first: int = 0
    """The first run of the history since it was last closed."""

    def add(self, place: int) -> None:
        run = self.runs[place]
        if run.closes:
            for subject in list(self.standing):
                self._end(subject, place, is_gone=True)
            self.last_pass, self.introduced, self.roster, self.searched = None, {}, frozenset(), {}
            self.first = place + 1
        if run.result == "neither":
            return
        if run.ran and run.ran is not self.roster:
            self.introduced |= dict.fromkeys(run.ran - self.introduced.keys(), place)
            self.roster = run.ran
        for subject, one in list(self.standing.items()):
            if subject in run.bad:
                one.last, one.count, one.absent = place, one.count + 1, 0
            else:
                self._continue(place, run, subject, one)
        for subject in run.bad:
            if subject not in self.standing:
                self.standing[subject] = _Streak(place, self._last_good(subject, place), place)
        if run.result == "good":
            self.last_pass = place

    def _continue(self, place: int, run: RunOutcome, subject: Subject, one: _Streak) -> None:
        """Go on with a breakage after a run in which its subject is not bad."""
        if run.of(subject) == "good":
            self._end(subject, place, is_gone=False)
            return
        is_absent = bool(run.ran) if subject.kind == "test" else subject.name in run.skipped_steps
        one.absent += is_absent and subject.kind != "run"
        if run.result == "good" or one.absent >= GONE_RUNS:
            self._end(subject, place, is_gone=True)

    def _end(self, subject: Subject, place: int, *, is_gone: bool) -> None:
        one = self.standing.pop(subject)
        self.over.append(Breakage(subject, one.since, one.good, one.last, one.count, place, is_gone))

    def _last_good(self, subject: Subject, place: int) -> int | None:
        is_test = subject.kind == "test" and not is_complaint(subject.name)
        first = self.introduced.get(subject.name, place) if is_test else self.first
        # The runs before an earlier search have no other answer: a test that is never good costs no more than others.
        searched, good = self.searched.get(subject, (first, None))
        later = range(place - 1, max(first, searched) - 1, -1)
        good = next((before for before in later if self.runs[before].of(subject) == "good"), good)
        self.searched[subject] = place, good
        return self.last_pass if good is None else good

    def found(self) -> list[Breakage]:
        lasting = (
            Breakage(subject, one.since, one.good, one.last, one.count) for subject, one in self.standing.items()
        )
        return sorted([*self.over, *lasting], key=lambda one: (one.since, one.subject))


def breakages(runs: Sequence[RunOutcome]) -> list[Breakage]:
    """Return all breakages, in the order of their first bad runs, the first of each run by its name."""
    fold = _Fold(runs)
    for place in range(len(runs)):
        fold.add(place)
    return fold.found()


def standing_first(found: Iterable[Breakage], flaky: Collection[str], newest: int) -> list[Breakage]:
    """Return the breakages that last, the one that explains most first.

    ``newest``: the newest bad run.  A subject that is bad in it comes before one that it did not reach, and a flaky test
    after both; then decides how long it is broken, then `RANKS`, then its name.
    """

    def key(one: Breakage) -> tuple[bool, bool, int, int, Subject]:
        is_flaky = one.subject.kind == "test" and one.subject.name in flaky
        return is_flaky, one.last < newest, one.since, RANKS.index(one.subject.kind), one.subject

    return sorted((one for one in found if one.end is None), key=key)


@dataclass(frozen=True)
class Turn:
    """The changes of one run: what broke, what ended, and how many breakages of other runs stand beside them."""

    place: int
    broke: tuple[Breakage, ...]
    ended: tuple[Breakage, ...]
    standing: int


def turns(found: Sequence[Breakage]) -> Iterator[Turn]:
    """Yield the runs that changed something, oldest first."""
    broke: dict[int, list[Breakage]] = {}
    ended: dict[int, list[Breakage]] = {}
    for one in found:
        broke.setdefault(one.since, []).append(one)
        if one.end is not None:
            ended.setdefault(one.end, []).append(one)
    count = 0
    for place in sorted({*broke, *ended}):
        new, old = tuple(broke.get(place, ())), tuple(ended.get(place, ()))
        count -= len(old)
        yield Turn(place, new, old, count)
        count += len(new)
