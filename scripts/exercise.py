"""exercise: run the exercises of the track on its deployment.

The exercises `installed` and `command` run first, `stability` runs last.
Each exercise is a separate program with a time limit.  It runs where it can reach the nodes; one that crashes or
hangs does not stop the others.  All cases are in ``results/native/cases.jsonl``, logs of all nodes in
``results/nodes``.  The verdict is ``error`` when an exercise could not run, ``failed`` when no case passed, and
``unstable`` when some passed.

On a track of proposed packages, each case is compared with that of the baseline (see `scripts.pockets.baseline`): what
fails in the release too is none of the update's, and only regressions count.

Facts: ``environment``, ``exercises`` (the number of cases by outcome, for each exercise); on a track of proposed packages
``baseline`` (the run that it is compared with, "" for none), ``regressions``, ``in the release too``, ``fixed`` and
``missing`` (cases; the last passed in the release and did not run).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base import files, resources
from lab.base.errors import ConfigurationError
from lab.base.run import TimedOut, Word
from lab.config.deployment import OwnExercise
from lab.results import cases as results
from lab.results.cases import Case
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
from scripts.deployment import environments, expectation
from scripts.drivers.interfaces import Provisioner
from scripts.exercises import cases, choice, judgement
from scripts.exercises.own import EXIT_CODE, OwnRun
from scripts.exercises.registry import EXERCISES, FIRST, LAST
from scripts.testing.conclusion import expected

NAME = "exercise"
LONGEST_SECONDS = 900.0


def chosen(context: StepContext) -> Mapping[str, OwnExercise | None]:
    """Return the exercises by name: those of lab.yaml in order, its own with settings, between those of every deployment.

    Raises ConfigurationError for one that cannot run.
    """
    named = context.lab.deployment_of(context.track_name).exercises
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
        """Run one exercise and return its cases; one is an error when the exercise did not finish.

        Those that it did not reach are skipped.
        """
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
        for case in cases.unreached(name, () if own else EXERCISES[name].CASES, cases.read(self.native)[before:]):
            results.append(self.native, case)
        return cases.read(self.native)[before:]


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
        exercising = Exercising(
            context, target, environments.driver_of(context.lab, context.track_name).NAME, home, native
        )
        try:
            found = {name: exercising.carry_out(name, own) for name, own in names.items()}
        finally:
            target.collect_logs(context.run.results / "nodes")
    result = expected(context, deployed.version, [case for of_one in found.values() for case in of_one])
    judged = judgement.judge(context, deployed, result.cases, NAME)
    untested = [
        f"{case.classname}: {case.message}"
        for case in judged.cases
        if names.get(case.classname) and (case.name, case.outcome) == (EXIT_CODE, "skipped")
    ]
    files.write_atomic(native, "".join(map(results.line, judged.cases)))
    return StepOutcome(
        "; ".join([judged.message, *untested, *result.notes]),
        version=deployed.version,
        commit=deployed.commit,
        verdict=judged.verdict,
        native=[(native, cases.FORMAT)] if judged.cases else [],
        facts={
            "environment": context.track_name,
            "exercises": judgement.counts(found, judged.cases),
            **judged.facts,
            **result.facts,
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
