"""Records of qalab: a step is a case; the end of its log is the evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.results.cases import Case, Outcome
from lab.store.records import Record
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = "record"
MARK = re.compile(rb'\A\s*\{\s*"schema": ?\d+,\s*"step": ?"')
EVIDENCE_BYTES = 12_000
OUTCOMES: dict[str, Outcome] = {
    "passed": "passed",
    "failed": "failed",
    "unstable": "failed",
    "skipped": "skipped",
    "error": "error",
    "aborted": "error",
    "running": "error",
}


def parse(path: Path) -> Iterator[Case]:
    """Read a record at ``RUN/results/NN-STEP.json``."""
    try:
        yield case(Record.read(path), path.parent.parent)
    except ConfigurationError as error:
        raise Unreadable(str(error).removeprefix(str(path)).removeprefix(":").lstrip()) from None


def case(record: Record, run: Path) -> Case:
    """Return a step as a case; ``run`` is the directory of its run, with the log."""
    outcome = OUTCOMES[record.verdict]
    is_failing = outcome in {"failed", "error"}
    return Case(
        suite=f"{record.track}.{record.component}",
        classname=f"{record.track}.{record.component}",
        name=record.step,
        outcome=outcome,
        nuance="testbed" if record.verdict == "error" else "",
        seconds=record.seconds,
        message=record.message or ("" if outcome == record.verdict else record.verdict),
        evidence=_end(run, record.log) or record.message if is_failing else "",
        started=record.started,
    )


def _end(run: Path, name: str) -> str:
    """Return the end of a step's log; "" if it is missing, or outside the run."""
    path = (run / name).resolve()
    if not (path.is_relative_to(run.resolve()) and path.is_file()):
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - EVIDENCE_BYTES))
        # The first character can be incomplete.
        return excerpts.tail(excerpts.decoded(stream.read().lstrip(bytes(range(0x80, 0xC0)))))
