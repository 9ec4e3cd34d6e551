"""Invented lanes whose truth is known: which commit broke which test, which tests are flaky, which runs were outages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import Random

from lab.results.cases import Case
from lab.store.records import rfc3339
from reports.model import Build, Commit, StepSummary
from reports.outcomes import digest
from reports.site.lane_history import History
from reports.site.summary import Summary, summarise

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
STEPS = ("source", "sbuild", "lintian")
FLAKY = 3  # of each lane
REST = 30  # builds


@dataclass
class Known:
    """What is broken after a build: by test or step, the commit that broke it; ``mass``: the commit that broke most tests."""

    broken: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    mass: str = ""
    outage: bool = False
    flaky: frozenset[str] = frozenset()


@dataclass
class Software:
    """Upstream's software, changed by each commit; ``quiet``: the build of the last outage."""

    rng: Random
    names: list[str]
    chances: dict[str, float]
    broken: dict[str, tuple[str, int]] = field(default_factory=dict)  # by test: the commit, and the build that mends it
    steps: dict[str, tuple[str, int]] = field(default_factory=dict)
    mass: tuple[str, int, frozenset[str]] | None = None
    quiet: int = -REST
    mended: dict[str, int] = field(default_factory=dict)
    """When a test or a step was mended: it does not break again at once, which no history could tell."""

    def change(self, commit: str, turn: int) -> None:
        self._mend(turn)
        resting = {name for name, moment in self.mended.items() if turn - moment < REST}
        sound = [name for name in self.names if name not in {*self.broken, *self.chances, *resting}]
        rng = self.rng
        if rng.random() < 0.02 and sound and len(self.names) > 20:
            self.names.remove(sound.pop(rng.randrange(len(sound))))
        if rng.random() < 0.06 and len(self.broken) * 4 < len(self.names):  # else most tests would fail
            for name in rng.sample(sound, min(rng.randint(1, 4), len(sound))):
                self.broken[name] = (commit, turn + rng.randint(2, 40))
        if rng.random() < 0.015 and (step := rng.choice(STEPS[1:])) not in resting:
            self.steps.setdefault(step, (commit, turn + rng.randint(1, 8)))
        if rng.random() < 0.006 and not self.mass and turn - self.quiet > REST // 3:  # nobody could tell them apart
            hit = frozenset(rng.sample(self.names, len(self.names) * 4 // 5))
            self.mass = (commit, turn + rng.randint(2, 6), hit)
        if rng.random() < 0.03:
            # A flaky test with a new name has no history that could tell.
            self._rename(rng.choice([name for name in self.names if name not in self.chances]))
        if rng.random() < 0.02:
            self.names.append(f"test_new_{commit[:8]}")

    def _mend(self, turn: int) -> None:
        for faults in (self.broken, self.steps):
            for name in [name for name, (_, until) in faults.items() if until <= turn]:
                del faults[name]
                self.mended[name] = turn
        if self.mass and self.mass[1] <= turn:
            self.mass = None

    def _rename(self, name: str) -> None:
        new = f"{name}_x"
        self.names[self.names.index(name)] = new
        for facts in (self.broken, self.mended):
            if name in facts:
                facts[new] = facts.pop(name)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class TrueLane:
    """``count`` builds of one lane, oldest first, and what is known after each."""

    count: int
    seed: int
    tests: int = 40
    flaky: int = FLAKY

    @cached_property
    def builds(self) -> list[tuple[Build, Known]]:
        return list(self._builds())

    def _builds(self) -> Iterator[tuple[Build, Known]]:
        rng = Random(self.seed)
        names = [f"test_{number:03}" for number in range(self.tests)]
        software = Software(rng, names, {name: rng.uniform(0.1, 0.5) for name in rng.sample(names, self.flaky)})
        commits: tuple[Commit, ...] = ()
        for turn in range(self.count):
            if not commits or rng.random() > 0.06:  # some builds are of the same commit
                commits = tuple(
                    Commit(id=f"{rng.getrandbits(160):040x}", subject=f"Change {turn}")
                    for _ in range(rng.randint(1, 3))
                )
                for commit in commits[::-1]:  # the newest is the first
                    software.change(commit.id, turn)
                yield self._build(rng, software, turn, commits, commits)
            else:
                yield self._build(rng, software, turn, commits, ())

    def _build(
        self, rng: Random, software: Software, turn: int, commits: tuple[Commit, ...], new: tuple[Commit, ...]
    ) -> tuple[Build, Known]:
        is_error, outage = rng.random() < 0.06, rng.random() < 0.04
        at = "sbuild" in software.steps
        software.quiet = turn if outage else software.quiet
        failing = set[str]() if at else self._failing(rng, software, outage=outage)
        cases: list[Case] = []
        steps: list[StepSummary] = []
        for step in STEPS:
            bad = step in software.steps or (step == "sbuild" and bool(failing))
            steps.append(StepSummary(step=step, verdict="failed" if bad else "passed"))
            cases.append(Case(suite="trunk.c", classname="trunk.c", name=step, outcome="failed" if bad else "passed"))
            if step == "sbuild" and not at:
                cases += [
                    Case(suite="u", classname="m", name=name, outcome="failed" if name in failing else "passed")
                    for name in software.names
                ]
            if bad:
                break
        known = Known(
            {name: commit for name, (commit, _) in software.broken.items()},
            {name: commit for name, (commit, _) in software.steps.items()},
            software.mass[0] if software.mass else "",
            outage and not at,
            frozenset(software.chances),
        )
        started = BEGIN + timedelta(hours=turn)
        verdict = "error" if is_error else "failed" if steps[-1].verdict == "failed" else "passed"
        build = Build(
            origin="local", job="trunk/c/build", number=turn + 1, started=rfc3339(started),
            finished=rfc3339(started + timedelta(minutes=9)), seconds=540.0, lab="testlab", track="trunk", component="c",
            series="trixie", architecture="amd64", phase="build", commit=commits[0].id, verdict=verdict,
            step=steps[-1].step if verdict == "failed" else "", commits=new, steps=tuple(steps), cases=tuple(cases),
        )  # fmt: skip
        return build, known

    @staticmethod
    def _failing(rng: Random, software: Software, *, outage: bool) -> set[str]:
        failing = {name for name in software.names if name in software.broken}
        failing |= {name for name, chance in software.chances.items() if rng.random() < chance}
        if software.mass:
            failing |= software.mass[2] & set(software.names)
        if outage:
            failing |= set(rng.sample(software.names, round(len(software.names) * rng.uniform(0.7, 1.0))))
        return failing

    @cached_property
    def _summaries(self) -> tuple[list[Summary], dict[str, frozenset[str]]]:
        rosters: dict[str, frozenset[str]] = {digest([]): frozenset()}
        summaries = []
        for build, _ in self.builds:
            summary, names = summarise(build)
            rosters.setdefault(summary.results.roster, frozenset(names))
            summaries.append(summary)
        return summaries, rosters

    def history(self, count: int) -> History:
        """Return the history after ``count`` builds."""
        summaries, rosters = self._summaries
        return History(tuple(summaries[:count]), rosters.__getitem__)
