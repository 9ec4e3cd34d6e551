"""The conclusion of a step of the phase test: its cases after known failures, the verdict, the record.

Each step of the phase has the same shape: it reads the candidate and the baseline (`scripts.testing.candidate`), makes a
case for each thing that it tests, and concludes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.base import environment, files
from lab.base.errors import InfrastructureError, Verdict
from lab.base.text import first_of
from lab.config import known_failures
from lab.results import cases
from lab.results.cases import Case
from lab.results.known_failures import Excused, ResultPlace, excused
from lab.store.records import rfc3339
from lab.store.step import StepContext, StepOutcome
from scripts.archives.serving import served
from scripts.testing.candidate import Candidate, hand_over, tested


@dataclass(frozen=True)
class Findings:
    """What a step has found.

    ``summary``: the message if all is well, or nothing was tested.  ``also``: further parts of any message.
    ``lenient``: identities of cases whose failure is ``unstable``.  ``prefix``: the beginning of the message for a verdict.
    ``named``: a case for people, ``line``: a failing one.
    """

    cases: Sequence[Case]
    summary: str
    also: Sequence[str] = ()
    lenient: frozenset[str] = frozenset()
    prefix: Mapping[Verdict, str] = field(default_factory=dict)
    named: Callable[[Case], str] = lambda case: case.name
    line: Callable[[Case], str] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def expected(context: StepContext, version: str, found: Iterable[Case]) -> Excused:
    """Return the cases of a run after the known failures of the lab."""
    place = ResultPlace(context.component_name, context.track_name, version, rfc3339(environment.now())[:10])
    return excused(found, known_failures.read(context.lab), place)


def carry_out(context: StepContext, name: str, test: Callable[[StepContext, Candidate], Findings]) -> StepOutcome:
    """Run a step of the phase: test what the run is about, write the cases, hand over to the next phase.

    The step is skipped where ``test.steps`` of the component does not name it.
    """
    with tested(context) as found:
        if name in context.component.test.steps:
            outcome = conclude(context, name, found, test(context, found))
        else:
            outcome = StepOutcome(
                f"test.steps does not have {name}", found.version(context.component_name), verdict="skipped"
            )
        hand_over(context, found)
    return outcome


@contextmanager
def archive_url(context: StepContext, found: Candidate) -> Iterator[str]:
    """Yield the URL of the lab's archive for programs on this machine."""
    with served(context.lab, found.state.name) as repository:
        if repository is None:
            raise InfrastructureError(f"{found.state.name} cannot be served")
        yield repository.url


def conclude(context: StepContext, name: str, found: Candidate, findings: Findings) -> StepOutcome:
    """Write the cases of a step; return its outcome.  Raises InfrastructureError where no verdict is possible."""
    version = found.version(context.component_name)
    result = expected(context, version, findings.cases)
    path = context.run.results / "native" / f"{name}.jsonl"
    files.write_atomic(path, "".join(map(cases.line, result.cases)))
    verdict, message = summed_up(findings, result)
    facts = {
        "state": found.state.name,
        "baseline": found.baseline.name if found.baseline else "",
        **findings.facts,
        **result.facts,
    }
    native = [(path, cases.FORMAT)] if result.cases else []
    return StepOutcome(message, version=version, verdict=verdict, native=native, facts=facts)


def summed_up(findings: Findings, result: Excused) -> tuple[Verdict, str]:
    """Return the verdict, and the line of the record."""
    final = [case for case in result.cases if case.nuance != "rerun"]
    failed = [case for case in final if case.outcome == "failed"]
    hard = [case for case in failed if case.id not in findings.lenient]
    errors = [case for case in final if case.outcome == "error"]
    lost = first_of([f"{findings.named(case)}: {case.message}" for case in errors])
    also = [*findings.also, *result.notes, *([f"no result of {lost}"] if lost else [])]
    # A failure of a test that declares itself flaky is skipped, with this nuance too.
    flaky = [findings.named(case) for case in final if case.outcome == "passed" and case.nuance == "flaky"]
    verdict: Verdict = "failed" if hard else "unstable" if failed or flaky else "passed"
    if errors and not hard:
        raise InfrastructureError(f"no result of {lost}")
    if bad := hard or failed:
        line = findings.line or (lambda case: f"{findings.named(case)}: {case.message or 'failed'}")
        lines = first_of([line(case) for case in bad])
        return verdict, "; ".join([f"{findings.prefix.get(verdict, '')}{lines}", *also])
    if flaky:
        return verdict, "; ".join([f"flaky: {first_of(flaky)} failed once, and passed once", *also])
    if not any(_counts(case) for case in final):
        verdict = "skipped"
    return verdict, "; ".join([findings.summary, *also])


def _counts(case: Case) -> bool:
    """Whether a case says something about the package: superficial tests do not (autopkgtest's status 8)."""
    return (case.outcome == "passed" and case.nuance != "superficial") or case.nuance == "expected-failure"
