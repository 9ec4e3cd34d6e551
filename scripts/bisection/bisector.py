"""The execution of a bisection: start probes, read their results, and write each into the record.

A bisection is a function of its record: a call that finds an open one goes on with it, and what was running when the
process ended runs again.  Probes are programs of their own that end with this process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Final, NamedTuple

from lab.base import environment, files, resources
from lab.base.background import BackgroundPrograms
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import Word
from lab.config.description import Lab
from lab.store import bisections
from lab.store.archive import ArchiveReader
from lab.store.bisections import Bisection, BisectionOutcome, BisectionTest, Sought, TestResult
from lab.store.records import rfc3339
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.archives import usage
from scripts.bisection import axes, points, wording
from scripts.bisection.points import PointContent
from scripts.bisection.scratch import Workshop
from scripts.bisection.search import Conclusion, needless, next_step
from scripts.chroots.chroots import Chroots

POLL_SECONDS: Final = 1.0


class Judged(NamedTuple):
    """What the runs of a probe say of what is sought."""

    result: TestResult
    message: str = ""


Judge = Callable[[Sequence[Run], Sought], Judged]
Stop = Callable[[], BisectionOutcome | None]
"""Returns why to stop: ``open`` to start no more probes now, or the outcome; None to go on."""


def never() -> BisectionOutcome | None:
    return None


@dataclass(frozen=True)
class Probe:
    """A test that runs."""

    point: int
    agent: str
    attempt: int
    content: PointContent
    run: Run
    started: datetime


@dataclass
class Bisector:
    """A bisection with a number of agents.  ``judge`` reads results, ``command`` returns the program of a probe."""

    lab: Lab
    found: Bisection
    agents: int
    judge: Judge
    log: IO[str]
    say: Callable[[str], None]
    stop: Stop = never
    command: Callable[[Run, str], Sequence[Word]] | None = None
    probes: dict[str, Probe] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return Store.of(self.lab)

    @property
    def workshop(self) -> Workshop:
        return Workshop(self.lab, self.found, self.store)

    @property
    def axis(self) -> int:
        return len(self.found.axes) - 1

    def run(self) -> Bisection:
        """Go on until the end, or until somebody stops it; return the record.

        Raises InfrastructureError where another process works on it, ConfigurationError where the held state is gone.
        """
        with self._held(), BackgroundPrograms() as programs:
            self.found = bisections.existing(self.store, self.found.number)  # another process may have gone on with it
            self.workshop.expire()
            self.workshop.clear()
            if self.found.outcome == "open":
                self._take_kept()
            while self.found.outcome == "open":
                running = tuple(probe.point for probe in self.probes.values())
                state = points.range_state(self.found, self.axis, running)
                step = next_step(state, self.agents)
                if isinstance(step, Conclusion):
                    self._stop_probes(programs, set(running))
                    self._conclude(step)
                    continue
                self._stop_probes(programs, needless(state))
                why = self.stop()
                for point in step if why is None else ():
                    self._start(programs, point)
                if why not in {None, "open"}:
                    self._stop_probes(programs, set(running))
                    self._end(why)
                elif self.probes:
                    self._wait(programs)
                elif why == "open":
                    break
        self.workshop.clear(kept=self.found.outcome == "cancelled")
        return self.found

    @contextmanager
    def _held(self) -> Iterator[None]:
        state = self.found.bad.state
        lock = self.store.lock_path("bisection", str(self.found.number))
        try:
            with (
                files.locked(lock, wait=False),
                usage.held(self.lab, state) if state else nullcontext(),
                self._bases(),
            ):
                yield
        except files.Busy:
            raise InfrastructureError(f"another process works on the bisection {self.found.number}") from None

    def _bases(self) -> AbstractContextManager[None]:
        """Keep the base chroots that are there: each probe has that of the start, whatever newer ones there are."""
        try:
            return Chroots.here(self.log).held_bases()
        except ConfigurationError:  # the probes say what is missing
            return nullcontext()

    def _update(self, **changes: object) -> None:
        self.found = self.found.model_copy(update=changes)
        self.found.write(bisections.path(self.store, self.found.number))

    def _wait(self, programs: BackgroundPrograms) -> None:
        """Wait for the result of a probe, or until somebody wants the bisection to end."""
        while self.stop() in {None, "open"}:
            if ended := programs.ended(POLL_SECONDS):
                self._read(self.probes.pop(ended[0]))
                return

    def _take_kept(self) -> None:
        """Read the kept builds of the points that were not tested yet: they cost nothing."""
        tested = {test.point for test in self.found.tests if test.axis == self.axis}
        for point in range(len(self.found.axes[self.axis].changes) + 1):
            content = points.content(self.found, self.axis, point)
            kept = self.workshop.kept_build(content, 1) if self.found.sought.phase == "build" else None
            if kept and point not in tested:
                self._note(Probe(point, "", 1, content, kept, environment.now()), [kept], built=False)

    def _start(self, programs: BackgroundPrograms, point: int) -> None:
        content = points.content(self.found, self.axis, point)
        same = [test for test in self.found.tests if (test.axis, test.point) == (self.axis, point)]
        attempt = len(same) + sum(probe.point == point for probe in self.probes.values()) + 1
        agent = next(str(number) for number in range(1, self.agents + 1) if str(number) not in self.probes)
        now = environment.now()
        kept = self.workshop.kept_build(content, attempt)
        if kept and (self.found.sought.phase == "build" or kept.verdict in {"failed", "error"}):
            self._note(Probe(point, agent, attempt, content, kept, now), [kept], built=False)
            return
        run = self.workshop.prepare(content, agent, attempt, self.log)
        home = self.workshop.home / agent
        argv = (self.command or self._qalab)(run, self.workshop.last_step)
        programs.start(
            agent, argv, home / "output.log", environment.own() | {"XDG_STATE_HOME": str(home)}, resources.ROOT
        )
        self.probes[agent] = Probe(point, agent, attempt, content, run, now)

    def _qalab(self, run: Run, until: str) -> list[Word]:
        return [
            sys.executable,
            "-m",
            "cli",
            "run",
            "--run",
            run.path,
            "--until",
            until,
            "--lab",
            self.lab.file.resolve(),
        ]

    def _stop_probes(self, programs: BackgroundPrograms, which: set[int]) -> None:
        for agent, probe in [*self.probes.items()]:
            if probe.point in which:
                programs.stop(agent)
                del self.probes[agent]

    def _read(self, probe: Probe) -> None:
        """Read the result of a probe that has ended, and keep its build."""
        was_kept = self.workshop.kept_build(probe.content, probe.attempt) is not None
        runs = Store(probe.run.path.parents[3]).runs()
        kept = "" if was_kept else self.workshop.keep(Run(probe.run.path), probe.content, probe.attempt)
        self._note(probe, runs, built=not was_kept, kept=kept)

    def _note(self, probe: Probe, runs: Sequence[Run], *, built: bool, kept: str = "") -> None:
        judged = self.judge(runs, self.found.sought)
        installed = axes.installed(runs)
        missing = [
            f"{name} {version}" for name, version in probe.content.held.items() if installed.get(name) != version
        ]
        if missing and judged.result in {"good", "bad"}:
            judged = Judged("skip", f"not available any more: {', '.join(missing[:3])}")
        now = environment.now()
        test = BisectionTest(
            axis=self.axis, point=probe.point, result=judged.result, message=judged.message, finished=rfc3339(now),
            seconds=round((now - probe.started).total_seconds(), 3), built=built, kept=kept, installed=installed,
        )  # fmt: skip
        notes = self.found.notes
        if self.found.axes[self.axis].kind == "upstream":
            for line in points.drift(self.found.tests, test, self._own()):
                notes = tuple(dict.fromkeys((*notes, f"changed during the bisection: {line}")))
        if any(each.axis == self.axis and each.point in {0, probe.point} for each in self.found.tests):
            test = test.model_copy(update={"installed": {}})  # one set of versions for each axis and end will do
        self._update(tests=(*self.found.tests, test), notes=notes)
        self.say(wording.of_test(self.found, test))

    def _own(self) -> frozenset[str]:
        """Return the binary packages of the lab."""
        state = self.found.bad.state
        return frozenset(name for name, _ in ArchiveReader.at(self.store.archive).lock(state)) if state else frozenset()

    def _conclude(self, step: Conclusion) -> None:
        """End the bisection, or go on with the next axis where this one does not have the culprit."""
        line = self.found.axes[self.axis]
        if step.kind == "good is bad":
            following = axes.following(self.lab, self.found, self._own(), self.log)
            if following is None:
                self._end("unexplained")
                return
            end = [test for test in self.found.tests if (test.axis, test.point) == (self.axis, 0)]
            moved = [test.model_copy(update={"axis": self.axis + 1, "point": len(following.changes)}) for test in end]
            self.say(wording.of_axis(self.found, following))
            self._update(axes=(*self.found.axes, following), tests=(*self.found.tests, *moved))
            self._take_kept()
        elif step.kind in {"found", "range"}:
            self._end(step.kind, tuple(line.changes[point - 1] for point in step.suspects))
        elif step.kind == "end not testable" and line.kind == "distribution":
            self._end("range", line.changes)
        else:
            self._end(step.kind)

    def _end(self, outcome: BisectionOutcome, suspects: tuple[bisections.BisectedChange, ...] = ()) -> None:
        done = self.found.model_copy(update={"outcome": outcome, "suspects": suspects})
        self._update(
            outcome=outcome, suspects=suspects, message=wording.of_outcome(done), finished=rfc3339(environment.now())
        )


def cancel_path(store: Store, number: int) -> Path:
    """Return the file that asks the process of a bisection to cancel it."""
    return bisections.home(store) / f"{number}.cancel"
