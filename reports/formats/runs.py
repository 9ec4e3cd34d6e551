"""All that a run tells: a case for each step, and the cases of what its tools wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.results.cases import Case
from lab.store.records import Native, Record
from lab.store.run_directory import Run
from reports.formats import record as steps
from reports.formats import registry
from reports.formats.excerpts import bounded


def cases_of(run: Run) -> list[Case]:
    """The cases of a run, in the order of its steps: each step's own, then those of its native results.

    What cannot be read is an error among them.  A step that passed has let be what its tool complained about (tags
    that the lab does not mind): there a failure is told as skipped.
    Raises ConfigurationError when the directory is no run's.
    """
    return list(_cases(run))


def _cases(run: Run) -> Iterator[Case]:
    for record in run.records():
        case = steps.case(record, run.path)
        yield bounded(case.model_copy(update={"message": case.message.replace(f"{run.path}/", "")}))
        for native in record.native:
            yield from _of_native(run.path, record, native)


def _of_native(run: Path, record: Record, native: Native) -> Iterator[Case]:
    path = run / native.path
    if not path.resolve().is_relative_to(run.resolve()):
        yield registry.unreadable(native.format, path, f"{native.path} is not in the run's directory")
        return
    try:
        found = registry.cases(native.format, path)
    except ConfigurationError as error:
        found = [registry.unreadable(native.format, path, str(error).replace(str(path), native.path))]
    for case in found:
        let_be = case.outcome == "failed" and record.verdict == "passed" and case.nuance != "rerun"
        yield case.model_copy(update={"outcome": "skipped"}) if let_be else case
