"""The verdict on the cases of all exercises: on a track of proposed packages, by comparison with the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.base.errors import Verdict
from lab.results.cases import Case
from lab.store.step import StepContext
from scripts.exercises.own import EXIT_CODE
from scripts.pockets import baseline, proposed
from scripts.pockets.baseline import Compared
from scripts.services.deployed_state import Deployed


def verdict_of(found: Sequence[Case]) -> Verdict:
    outcomes = Counter(case.outcome for case in found)
    if outcomes["error"]:
        return "error"
    if outcomes["failed"]:
        return "unstable" if outcomes["passed"] else "failed"
    return "passed"


def counts(names: Collection[str], found: Iterable[Case]) -> dict[str, dict[str, int]]:
    """Return the number of cases by outcome, for each exercise; the class of a case begins with the exercise's name."""
    counted = Counter((exercise_of(case, names), case.outcome) for case in found)
    return {name: {outcome: count for (of, outcome), count in counted.items() if of == name} for name in names}


def exercise_of(case: Case, names: Iterable[str]) -> str:
    """Return the exercise that a case is of: a name can have dots, and begin with another one."""
    return max((name for name in names if f"{case.classname}.".startswith(f"{name}.")), key=len, default="")


def describe(found: Sequence[Case]) -> str:
    """Return the number of passed cases, and the first case that did not pass, with its reason.

    A program that was ended explains what its result lacks.
    """
    passed = sum(case.outcome == "passed" for case in found)
    bad = next((case for case in found if case.outcome == "error"), None)
    bad = bad or next((case for case in found if case.outcome == "failed"), None)
    if bad and bad.outcome == "failed":
        of_program = (case for case in found if (case.name, case.outcome) == (EXIT_CODE, "failed"))
        bad = next((case for case in of_program if f"{bad.classname}.".startswith(f"{case.classname}.")), bad)
    why = ": ".join(filter(None, [bad.classname, bad.name, bad.message])) if bad else ""
    return f"{passed} of {len(found)} passed" + (f"; {why}" if why else "")


@dataclass(frozen=True)
class CaseJudgement:
    """The cases of all exercises, the verdict, the line of the record, and the facts of a comparison."""

    cases: Sequence[Case]
    verdict: Verdict
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def judge(context: StepContext, deployed: Deployed, every: Sequence[Case], step: str) -> CaseJudgement:
    """Return the verdict on the cases; for updates of a pocket, by comparison with the baseline.

    ``step``: the name that a baseline keeps the results by.  Without a baseline, a failure is no verdict: it may be one
    of the release.
    """
    lab, track, verdict = context.lab, context.track_name, verdict_of(every)
    if verdict == "error" or not deployed.baseline:
        return CaseJudgement(every, verdict, describe(every))
    if not deployed.waiting:
        failed = {case.id: case.message for case in every if case.outcome == "failed"}
        passed = (case.id for case in every if case.outcome == "passed")
        baseline.keep(context, deployed.state, step, failed, passed)
        proposed.remember(lab, track, deployed.state, "the release")
        return CaseJudgement(every, verdict, f"the release: {describe(every)}")
    known = baseline.kept(lab, track, deployed.baseline, step)
    if known is None and verdict != "passed":
        hint = f"qalab run {track} --state {baseline.RELEASED}"
        return CaseJudgement(every, "error", f"{describe(every)}; there is no baseline to compare with ({hint})")
    compared = baseline.compare(every, known) if known else baseline.Compared(every)
    if compared.known and all(case.outcome == "skipped" for case in compared.cases):
        return CaseJudgement(every, "error", f"{describe(every)}; no case passes in the release either")
    if compared.missing and all(case.outcome == "skipped" for case in compared.cases):
        return CaseJudgement(every, "error", f"{describe(every)}; no case that passes in the release ran")
    described = ", ".join(f"{source} {version}" for source, version in deployed.waiting.items())
    proposed.remember(lab, track, deployed.state, described)
    facts = {
        "baseline": known.run if known else "",
        "regressions": compared.regressions,
        "in the release too": compared.known,
        "fixed": compared.fixed,
        "missing": compared.missing,
    }
    return CaseJudgement(compared.cases, verdict_of(compared.cases), describe_compared(compared), facts)


def describe_compared(compared: Compared) -> str:
    """Return the line of a record whose cases were compared with the baseline."""
    kinds = (
        (compared.known, "failed in the release too"),
        (compared.fixed, "fixed"),
        (compared.missing, "passed in the release and did not run"),
    )
    more = "".join(f"; {len(found)} {what} ({found[0]})" for found, what in kinds if found)
    return f"{describe(compared.cases)}{more}"
