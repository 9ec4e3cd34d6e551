"""The records of bisections.

::

    bisections/NUMBER.json     a bisection, see `Bisection`
    bisections/NUMBER/         the files of an open one, see `scripts.bisection.scratch`
    bisections/kept/           builds of earlier probes, likewise

A record is written after each result, and a bisection is a function of it: the next call continues it after a kill.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from lab.base.errors import ConfigurationError
from lab.config.description import Phase
from lab.store.archive import ArchivePart
from lab.store.records import Stored
from lab.store.runs import Store

ChangeKind = Literal["upstream commit", "packaging commit", "component", "distribution package"]
AxisKind = Literal["upstream", "lab", "distribution"]
TestResult = Literal["good", "bad", "skip", "error"]
BisectionOutcome = Literal[
    "open",
    "found",  # proved: one change
    "range",  # proved, but commits in the range cannot be tested
    "bad is good",  # the newer end passes today
    "unexplained",  # the older end fails today, and nothing that is recorded has changed
    "end not testable",
    "unsure",  # the results contradict each other
    "cancelled",
    "fixed",  # the case passed in a newer run meanwhile
]


class Sought(ArchivePart):
    """What is broken: a test or a step of a phase, or (without a name) the verdict of the phase."""

    phase: Phase
    kind: Literal["test", "step", "run"] = "run"
    name: str = ""

    def is_named(self, name: str) -> bool:
        """Return whether somebody means this by the identity of a test or the name of a step, or the end of one."""
        return self.name == name or self.name.endswith(f"/{name}")

    def __str__(self) -> str:
        """Return the words for people."""
        return (
            f"{self.kind} {self.name}" if self.name and self.kind == "step" else self.name or f"the phase {self.phase}"
        )


class BisectedChange(ArchivePart):
    """A change that leads from a point to the next one: a commit, or another version of one or more packages.

    ``name``: the id of the commit, the component, or the packages of the distribution, separated by spaces.
    """

    kind: ChangeKind
    name: str
    before: str = ""
    after: str = ""
    subject: str = ""
    author: str = ""
    email: str = ""

    def __str__(self) -> str:
        """Return the words for people."""
        if self.kind.endswith("commit"):
            return (
                f"the {self.kind} {self.name[:12]} ({self.subject})" if self.subject else f"the {self.kind} {self.name}"
            )
        return f"the {self.kind} {self.name} {self.before or 'none'} -> {self.after or 'none'}"


class BisectionEnd(ArchivePart):
    """An end of the range: an upstream commit, and the environment that a run of it had.

    ``run``: its run; empty without one.  ``packaging``: the commit of the packaging.  ``state``: the archive's state with the
    other components of the lab.  ``installed``: the versions in the chroot.
    """

    commit: str
    run: str = ""
    packaging: str = ""
    state: str = ""
    installed: Mapping[str, str] = {}


class BisectionAxis(ArchivePart):
    """A line of changes, from the older point to the newer one.

    ``upstream``: the commits, in the newer environment.  ``lab``: at the older commit, the packaging and then the other
    components.  ``distribution``: at the older commit with the older packaging and components, the distribution's packages.
    """

    kind: AxisKind
    changes: tuple[BisectedChange, ...]
    known: Mapping[int, TestResult] = {}
    """The results of earlier runs in the same environment, by point."""


class BisectionTest(ArchivePart):
    """A test of a point; ``axis`` is an index of `Bisection.axes`, ``installed`` what the chroot had."""

    axis: int
    point: int
    result: TestResult
    message: str = ""
    finished: str
    seconds: float = 0.0
    built: bool = True
    """False: the packages were kept from an earlier probe."""
    kept: str = ""
    """The name of the build that the test has kept for later ones."""
    installed: Mapping[str, str] = {}


class Rejection(ArchivePart):
    """The word of a human that a result is wrong."""

    who: str
    when: str
    reason: str = ""


class Bisection(Stored):
    """bisections/NUMBER.json: a bisection."""

    number: int
    track: str
    component: str
    sought: Sought
    good: BisectionEnd
    bad: BisectionEnd
    """Also the environment that all points of the upstream axis have."""
    fails_good: float = 0.0
    """How often the case failed before the range, of all results."""
    fails_bad: float = 1.0
    """How often it failed after the range."""
    started: str
    finished: str = ""
    by: str = ""
    axes: tuple[BisectionAxis, ...]
    tests: tuple[BisectionTest, ...] = ()
    notes: tuple[str, ...] = ()
    outcome: BisectionOutcome = "open"
    suspects: tuple[BisectedChange, ...] = ()
    """The culprit, or the changes among which it is."""
    message: str = ""
    rejected: Rejection | None = None

    @property
    def is_proved(self) -> bool:
        """Whether it accuses one change, and nobody has rejected that."""
        return self.outcome == "found" and self.rejected is None


def home(store: Store) -> Path:
    return store.root / "bisections"


def path(store: Store, number: int) -> Path:
    return home(store) / f"{number}.json"


def numbers(store: Store) -> list[int]:
    """Return the numbers of the bisections, also of those whose record is damaged, in order."""
    return sorted(int(each.stem) for each in home(store).glob("*.json") if each.stem.isdecimal())


def all_of(store: Store, track: str | None = None, component: str | None = None) -> list[Bisection]:
    """Return the bisections whose record is whole, oldest first."""
    found = [one for one in map(partial(_read, store), numbers(store)) if isinstance(one, Bisection)]
    return [each for each in found if track in {None, each.track} and component in {None, each.component}]


def damage(store: Store) -> list[str]:
    """Return what is wrong with the damaged records, a line for each."""
    found = map(partial(_read, store), numbers(store))
    return [str(one) for one in found if isinstance(one, ConfigurationError)]


def _read(store: Store, number: int) -> Bisection | ConfigurationError:
    try:
        return Bisection.read(path(store, number))
    except ConfigurationError as error:
        return error


def states_in_use(store: Store) -> set[str]:
    """Return the states of the archive that open bisections need.  Raises ConfigurationError for a damaged record."""
    for line in damage(store):
        raise ConfigurationError(line, hint="mend or remove it: the states that it needs are not known")
    return {end.state for one in all_of(store) if one.outcome == "open" for end in (one.good, one.bad)} - {""}


def existing(store: Store, number: int) -> Bisection:
    """Return a bisection.  Raises ConfigurationError for a missing one."""
    if not path(store, number).exists():
        raise ConfigurationError(f"no bisection {number}", hint="qalab bisect --list")
    return Bisection.read(path(store, number))
