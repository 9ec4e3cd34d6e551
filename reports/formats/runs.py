"""The cases of a run: a case for each step, and the cases of each native result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from lab.base.errors import ConfigurationError
from lab.results.cases import Case, Outcome
from lab.store.records import Native
from lab.store.run_directory import Run
from reports.formats import record as steps
from reports.formats import registry
from reports.formats.excerpts import bounded

FAILING: Final[frozenset[Outcome]] = frozenset({"failed", "error"})


def cases_of(run: Run) -> list[Case]:
    """Return the cases of a run in the order of its steps: the case of each step, then those of its native results.

    A file that cannot be read is an error among them.  A step that accepts a failure leaves its decision in the
    result itself, where the format reads it: lintian's severities in the report, Tempest's known failures next to the
    stream.  Any other failure in a result of a passed step stays a failure, and its message names the contradiction.
    Raises ConfigurationError if the directory is not a run's.
    """
    return list(_cases(run))


def failing(cases: Iterable[Case]) -> Iterator[Case]:
    """Yield the cases that failed, without earlier tries."""
    return (case for case in cases if case.outcome in FAILING and case.nuance != "rerun")


def _cases(run: Run) -> Iterator[Case]:
    for record in run.records():
        case = steps.case(record, run.path)
        yield bounded(case.model_copy(update={"message": case.message.replace(f"{run.path}/", "")}))
        for native in record.native:
            cases = _native_cases(run.path, native)
            yield from (
                (_with_contradiction(case, record.step) for case in cases) if record.verdict == "passed" else cases
            )


def _native_cases(run: Path, native: Native) -> list[Case]:
    path = run / native.path
    if not path.resolve().is_relative_to(run.resolve()):
        return [registry.unreadable(native.format, path, f"{native.path} is not in the run's directory")]
    try:
        return registry.cases(native.format, path)
    except ConfigurationError as error:
        return [registry.unreadable(native.format, path, str(error).replace(str(path), native.path))]


def _with_contradiction(case: Case, step: str) -> Case:
    """Return a case of a passed step; a failing one with a message that names the contradiction."""
    if not any(failing([case])):
        return case
    return bounded(
        case.model_copy(update={"message": f"{step} passed, but its result did not: {case.message or case.outcome}"})
    )
