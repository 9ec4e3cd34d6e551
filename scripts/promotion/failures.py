"""The failures of a run: its failing cases, and the steps that failed without any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.base.errors import InfrastructureError
from lab.results import cases
from lab.results.cases import NotCases
from lab.store.promotions import ProbeFailure
from lab.store.records import Record
from lab.store.run_directory import Run

BAD = {"failed", "unstable"}
FEW = 2


def of_run(run: Run) -> list[ProbeFailure]:
    """Return the failures of a run.  Raises InfrastructureError for a torn file of cases."""
    return [failure for record in run.records() if record.verdict in BAD for failure in _of_record(run, record)]


def _of_record(run: Run, record: Record) -> list[ProbeFailure]:
    found = list(_of_cases(run, record))
    return found or [ProbeFailure(test=f"{record.step}: {record.message}", message=record.message)]


def _of_cases(run: Run, record: Record) -> Iterator[ProbeFailure]:
    for native in record.native:
        path = run.path / native.path
        if native.format == cases.FORMAT and path.exists():
            try:
                parsed = list(cases.parse(path.read_text(encoding="utf-8")))
            except NotCases as error:
                raise InfrastructureError(f"{path}: {error}") from None
            for case in parsed:
                if case.outcome == "failed":
                    yield ProbeFailure(test=f"{record.step}: {case.classname}: {case.name}", message=case.message)


def described(failures: Sequence[ProbeFailure]) -> str:
    """Return failures in one line, the first ones by name."""
    some = [
        each.test
        if each.message in {"", each.test} or each.test.endswith(each.message)
        else f"{each.test}: {each.message}"
        for each in failures[:FEW]
    ]
    return "; ".join(some) + (f" and {len(failures) - FEW} more" if len(failures) > FEW else "")
