"""The progress of a run: a moving line at a terminal, plain lines elsewhere."""

from __future__ import annotations

from contextlib import suppress

from rich import progress
from rich.console import Console
from rich.text import Text

from lab.store import durations
from lab.store.records import Record
from lab.store.run_directory import Run
from reports.status import duration, verdict_text

SHORTEST = 9
"""The width of the column of steps, except in phases with longer names."""


class ElapsedColumn(progress.ProgressColumn):
    """The time since the start of a step, and the time that it took before."""

    def render(self, task: progress.Task) -> Text:
        last = task.fields["last"]
        return Text(durations.clock(task.elapsed or 0.0) + (f", {last}" if last else ""))


class Progress:
    """A listener of a runner; see `scripts.phases.runner.Listener`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar: progress.Progress | None = None

    def waiting(self, current: Run) -> None:
        self.console.print(f"{current.id}: another run of the component is in progress; waiting")

    def started(self, current: Run, name: str) -> None:
        if self.console.is_terminal:
            columns = progress.SpinnerColumn(), progress.TextColumn("{task.description}"), ElapsedColumn()
            self.bar = progress.Progress(*columns, console=self.console, transient=True)
            self.bar.add_task(f"{current.id} {name}", total=None, last=durations.last_time(current.info, name))
            self.bar.start()

    def kept(self, current: Run, record: Record) -> None:
        self._line(current, record, " (kept)")

    def ended(self, current: Run, record: Record) -> None:
        if self.bar:
            with suppress(Exception):
                self.bar.stop()
            self.bar = None
        self._line(current, record, "")

    def _line(self, current: Run, record: Record, note: str) -> None:
        width = max(SHORTEST, *map(len, current.steps))
        self.console.print(
            f"{current.id}  {record.step:<{width}} ",
            verdict_text(record.verdict),
            f" {duration(record.seconds):>8}{note}  {record.message}",
            sep="",
            soft_wrap=True,
        )
