"""The standing of a run: its verdict, from its records alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.base.errors import Verdict
from lab.store.records import Record

RunVerdict = Verdict | Literal["running"]


@dataclass(frozen=True)
class RunStanding:
    """The standing of a run at one moment: its records in the order of its steps, and whether a process works on it."""

    steps: tuple[str, ...]
    records: tuple[Record, ...]
    held: bool

    @property
    def verdict(self) -> RunVerdict:
        """The verdict of the run, from its records alone."""
        verdicts = [record.verdict for record in self.records]
        worst: tuple[Verdict, ...] = ("failed", "error", "aborted")
        for bad in worst:
            if bad in verdicts:
                return bad
        if "running" in verdicts or len(verdicts) < len(self.steps):
            return "running" if self.held else "aborted"
        if {*verdicts} == {"skipped"}:
            return "skipped"
        return "unstable" if "unstable" in verdicts else "passed"

    @property
    def version(self) -> str:
        """The newest version that a step has named."""
        return next((record.version for record in reversed(self.records) if record.version), "")


def cut_short(record: Record) -> Record:
    """Return a record as readers see it when no process works on its step: not ``running``, but ``aborted``."""
    if record.verdict != "running":
        return record
    return record.model_copy(update={"verdict": "aborted", "message": "ended before it could say how it went"})
