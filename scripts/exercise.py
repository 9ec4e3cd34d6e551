"""exercise: run the exercises of the track on its deployment.

The exercises `installed` and `command` run first, `stability` runs last.
Each exercise is a separate program with a time limit.  It runs where it can reach the nodes; one that crashes or
hangs does not stop the others.  All cases are in ``results/native/cases.jsonl``, logs of all nodes in
``results/nodes``.  The verdict is ``error`` when an exercise could not run, ``failed`` when no case passed, and
``unstable`` when some passed.

Facts: ``environment``, ``exercises`` (the number of cases by outcome, for each exercise).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base import files, resources
from lab.base.errors import ConfigurationError, Verdict
from lab.base.run import TimedOut, Word
from lab.config.deployment import OwnExercise
from lab.results import cases as results
from lab.results.cases import Case
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
from scripts.deployment import environments, expectation
from scripts.drivers.interfaces import Provisioner
from scripts.exercises import cases, choice
from scripts.exercises.own import OwnRun
from scripts.exercises.registry import FIRST, LAST
from scripts.pockets import proposed
from scripts.testing.conclusion import expected

NAME = "exercise"
LONGEST_SECONDS = 900.0


def chosen(context: StepContext) -> Mapping[str, OwnExercise | None]:
    """Return the exercises by name: those of lab.yaml in order, its own with settings, between those of every deployment.

    Raises ConfigurationError for one that cannot run.
    """
    named = context.lab.exercises_of(context.track_name)
    if wrong := next(choice.faults(context.lab, context.track_name), None):
        key, what = wrong
        raise ConfigurationError(f"{context.lab.file}: {'.'.join(map(str, key))}: {what}")
    first: dict[str, OwnExercise | None] = dict.fromkeys(FIRST)
    ordered = first | dict((each.name, each) if isinstance(each, OwnExercise) else (each, None) for each in named)
    return {name: own for name, own in ordered.items() if name not in LAST} | dict.fromkeys(LAST)


@dataclass(frozen=True)
class Exercising:
    """Exercises of one deployment; ``home``: the directory of its environment, ``native``: the file of cases."""

    context: StepContext
    target: Provisioner
    driver: str
    home: Path
    native: Path

    def carry_out(self, name: str, own: OwnExercise | None) -> list[Case]:
        """Run one exercise and return its cases; the last one is an error when the exercise did not finish."""
        before = len(cases.read(self.native))
        argv: list[Word] = [sys.executable, "-m", "scripts.exercises", name, self.driver, self.home, self.native]
        longest = LONGEST_SECONDS
        if own:
            longest = own.timeout_minutes * 60.0 + LONGEST_SECONDS  # its own time, and that of copies and of its result
            work = self.context.run.work / "exercises" / name
            base = self.context.lab.file.parent.absolute()
            argv.append(OwnRun(chosen=own, base=base, work=work).model_dump_json())
        try:
            result = self.target.beside(argv, cwd=resources.ROOT, timeout=longest, check=False)
            why = "" if result else f"it ended with status {result.returncode}; see the log"
        except TimedOut as error:
            why = str(error)
        if why:
            results.append(self.native, cases.made(name, "goes to its end", "error", why))
        return cases.read(self.native)[before:]


def verdict_of(found: Sequence[Case]) -> Verdict:
    outcomes = Counter(case.outcome for case in found)
    if outcomes["error"]:
        return "error"
    if outcomes["failed"]:
        return "unstable" if outcomes["passed"] else "failed"
    return "passed"


def describe(found: Sequence[Case]) -> str:
    """Return the number of passed cases, and the first case that did not pass, with its reason."""
    passed = sum(case.outcome == "passed" for case in found)
    bad = next((case for case in found if case.outcome == "error"), None)
    bad = bad or next((case for case in found if case.outcome == "failed"), None)
    return f"{passed} of {len(found)} passed" + (f"; {bad.classname}: {bad.name}: {bad.message}" if bad else "")


def action(context: StepContext) -> StepOutcome:
    names, target = chosen(context), environments.target(context.lab, context.track_name, context.log)
    with environments.exclusive_turn(context.lab, context.track_name):
        if why := environments.in_use_error(context):
            return StepOutcome(why, version=context.run.info.version, verdict="skipped")
        deployed = environments.deployed(context, target)
        if skipped := expectation.another(context, deployed):
            return skipped
        if deployed.state:
            context.run.write_info(context.run.info.model_copy(update={"archive": deployed.state}))
        native = context.run.results / "native" / cases.FILE
        native.unlink(missing_ok=True)
        home = context.store.environments / context.track_name
        exercising = Exercising(context, target, environments.driver_of(context.lab).NAME, home, native)
        try:
            found = {name: exercising.carry_out(name, own) for name, own in names.items()}
        finally:
            target.collect_logs(context.run.results / "nodes")
    result = expected(context, deployed.version, [case for of_one in found.values() for case in of_one])
    every = result.cases
    files.write_atomic(native, "".join(map(results.line, every)))
    verdict = verdict_of(every)
    if deployed.waiting and verdict != "error":
        described = ", ".join(f"{source} {version}" for source, version in deployed.waiting.items())
        proposed.remember(context.lab, context.track_name, deployed.state, described)
    counts = {name: dict(Counter(case.outcome for case in of_one)) for name, of_one in found.items()}
    return StepOutcome(
        "; ".join([describe(every), *result.notes]),
        version=deployed.version,
        commit=deployed.commit,
        verdict=verdict,
        native=[(native, cases.FORMAT)] if every else [],
        facts={"environment": context.track_name, "exercises": counts, **result.facts},
    )


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
