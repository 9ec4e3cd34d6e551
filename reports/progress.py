"""The progress of a run: a moving line at a terminal, plain lines elsewhere."""

from __future__ import annotations

from contextlib import suppress

from rich.console import Console
from rich.status import Status

from lab.store.records import Record
from lab.store.run_directory import Run
from reports.status import duration, verdict_text


class Progress:
    """A listener of a runner; see `scripts.phases.runner.Listener`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.status: Status | None = None

    def waiting(self, current: Run) -> None:
        self.console.print(f"{current.id}: another run of the component is in progress; waiting")

    def started(self, current: Run, name: str) -> None:
        if self.console.is_terminal:
            self.status = self.console.status(f"{current.id} {name}")
            self.status.start()

    def kept(self, current: Run, record: Record) -> None:
        self._line(current, record, " (kept)")

    def ended(self, current: Run, record: Record) -> None:
        if self.status:
            with suppress(Exception):
                self.status.stop()
            self.status = None
        self._line(current, record, "")

    def _line(self, current: Run, record: Record, note: str) -> None:
        self.console.print(
            f"{current.id}  {record.step:<10}",
            verdict_text(record.verdict),
            f" {duration(record.seconds):>8}{note}  {record.message}",
            sep="",
            soft_wrap=True,
        )
