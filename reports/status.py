"""The runs of this machine, for people at a terminal and for programs (``--json``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab import environment
from lab.errors import ConfigurationError
from lab.records import Record
from lab.store import Run, Store, run_at

# A verdict is told by a sign and a word; its colour only repeats them.
SIGNS = {
    "passed": ("✔", "green"),
    "failed": ("✘", "red"),
    "unstable": ("!", "yellow"),
    "error": ("⚠", "magenta"),
    "aborted": ("■", "magenta"),
    "skipped": ("-", "dim"),
    "running": ("…", "cyan"),
}


def verdict_text(verdict: str) -> Text:
    sign, style = SIGNS[verdict]
    return Text(f"{sign} {verdict}", style=style)


def stores() -> list[Store]:
    """The stores of all labs that have run on this machine."""
    home = environment.state_home()
    return [Store(path.parent) for path in sorted(home.glob("*/runs"))]


def all_runs(track: str | None = None, component: str | None = None) -> list[Run]:
    """All runs on this machine, oldest first."""
    found = [run for store in stores() for run in store.runs(track, component)]
    return sorted(found, key=lambda run: run.info.started)


def unreadable() -> list[str]:
    """A line for each run of this machine that cannot be read."""
    return [complaint for store in stores() for complaint in store.unreadable()]


def find(name: str, lab: str = "") -> Run:
    """A run by TRACK/COMPONENT/NUMBER, LAB/TRACK/COMPONENT/NUMBER, or path.  Raises ConfigurationError.

    Where several labs have one of that name, it is ``lab``'s.
    """
    wanted = name.strip("/")
    found = [run for run in all_runs() if wanted in {run.id, f"{run.info.lab}/{run.id}"}]
    found = [run for run in found if run.info.lab == lab] or found
    if len(found) > 1:
        choice = ", ".join(f"{run.info.lab}/{run.id}" for run in found)
        raise ConfigurationError(f"{name}: there are several; say which: {choice}")
    if found:
        return found[0]
    if run := run_at(Path(name)):
        return run
    known = ", ".join(run.id for run in all_runs()[-5:]) or "none yet"
    raise ConfigurationError(f"no run {name}; the last ones: {known}")


def summary(run: Run) -> dict[str, Any]:
    """A run as `qalab status --json` tells it."""
    info, records = run.info, run.records()
    # The last step, unless an earlier one explains the verdict (lintian, when the run is unstable).
    tells = next((record for record in reversed(records) if record.verdict not in {"passed", "skipped"}), None)
    tells = tells or (records[-1] if records else None)
    return {
        "id": run.id,
        "lab": info.lab,
        "track": info.track,
        "component": info.component,
        "series": info.series,
        "number": info.number,
        "phase": info.phase,
        "commit": info.commit,
        "version": run.version,
        "verdict": run.verdict,
        "step": tells.step if tells else "",
        "message": tells.message if tells else "",
        "started": info.started,
        "seconds": round(sum(record.seconds for record in records), 3),
        "path": str(run.path),
    }


def runs_json(runs: Sequence[Run]) -> str:
    return json.dumps([summary(run) for run in runs], indent=2)


def run_json(run: Run) -> str:
    steps = [record.model_dump(mode="json", by_alias=True) for record in run.records()]
    return json.dumps(summary(run) | {"steps": steps}, indent=2)


def runs_table(runs: Sequence[Run]) -> Table:
    """A table that fits 80 columns: what is long folds, and nothing is cut."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("run", "verdict", "started", "took", "what happened"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"verdict", "started", "took"})
    for run in runs:
        told = summary(run)
        quiet = told["verdict"] in {"passed", "running"}
        table.add_row(
            run.id,
            verdict_text(told["verdict"]),
            told["started"][5:16].replace("T", " "),
            duration(told["seconds"]),
            told["version"] if quiet else f"{told['step']}: {told['message']}",
        )
    return table


def steps_table(records: Sequence[Record]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading, justify in (("step", "left"), ("verdict", "left"), ("took", "right"), ("what it says", "left")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for record in records:
        table.add_row(record.step, verdict_text(record.verdict), duration(record.seconds), record.message)
    return table


def side_by_side(runs: Sequence[Run]) -> Table:
    """Steps by runs: how each step of each run went, and how long it took."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("step")
    records = {run.id: {record.step: record for record in run.records()} for run in runs}
    for name in records:
        table.add_column(name, no_wrap=True)
    for step in dict.fromkeys(step for found in records.values() for step in found):
        cells = [found.get(step) for found in records.values()]
        table.add_row(step, *(_cell(record.verdict, record.seconds) if record else "" for record in cells))
    table.add_row("", *(_cell(run.verdict, sum(record.seconds for record in run.records())) for run in runs))
    return table


def _cell(verdict: str, seconds: float) -> Text:
    return verdict_text(verdict).append(f" {duration(seconds)}", style="default")


def duration(seconds: float) -> str:
    if round(seconds, 1) < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def show(console: Console, run: Run) -> None:
    """A run, its steps and its files, at a terminal."""
    told = summary(run)
    console.print(Text(run.id, style="bold"), verdict_text(told["verdict"]))
    for key in ("commit", "version", "started", "path"):
        console.print(f"  {key:8} {told[key]}", soft_wrap=True)
    console.print(steps_table(run.records()))
    for record in run.records():
        for artifact in record.artifacts:
            console.print(f"  {artifact.sha256[:12]}  {artifact.path}", soft_wrap=True)
