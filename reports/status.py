"""The runs of this machine, for people at a terminal and for programs (``--json``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.store.records import Record
from lab.store.runs import Run, Store, Survey, run_at
from lab.store.standing import RunStanding

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
    """Return all runs on this machine, oldest first."""
    return survey(track, component).runs


def survey(track: str | None = None, component: str | None = None) -> Survey:
    """Read the run.json of each run on this machine once; the runs, oldest first.  Raises NewerSchemaError."""
    surveys = [store.survey(track, component) for store in stores()]
    runs = [run for each in surveys for run in each.runs]
    return Survey(sorted(runs, key=lambda run: run.info.started), [error for each in surveys for error in each.errors])


def find(name: str, lab: str = "") -> Run:
    """Return a run by TRACK/COMPONENT/NUMBER, LAB/TRACK/COMPONENT/NUMBER, or path.

    When several labs have a run of that name, the one of ``lab`` is meant.  Raises ConfigurationError for a
    name of no run or of several, and for a run.json that cannot be read.
    """
    found = _named(name.strip("/").split("/"))
    found = [run for run in found if run.info.lab == lab] or found
    if len(found) > 1:
        choice = ", ".join(f"{run.info.lab}/{run.id}" for run in found)
        raise ConfigurationError(f"{name}: there are several; say which: {choice}")
    if run := found[0] if found else run_at(Path(name)):
        run.info  # noqa: B018 - reads run.json
        return run
    known = ", ".join(run.id for run in all_runs()[-5:]) or "none yet"
    raise ConfigurationError(f"no run {name}; the last ones: {known}")


def _named(parts: Sequence[str]) -> list[Run]:
    """Return the runs of the labs at [LAB/]TRACK/COMPONENT/NUMBER, the oldest first."""
    match parts:
        case [lab, track, component, number]:
            found = [store.run(track, component, number) for store in stores() if store.root.name == lab]
        case [track, component, number]:
            found = [store.run(track, component, number) for store in stores()]
        case _:
            found = []
    return sorted(filter(None, found), key=lambda run: run.info.started)


def summary(run: Run, standing: RunStanding | None = None) -> dict[str, Any]:
    """Return a run as `qalab status --json` shows it; ``standing`` is read when it is not given."""
    info, standing = run.info, standing or run.standing()
    records = standing.records
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
        "version": standing.version,
        "lab_commit": info.lab_commit,
        "verdict": standing.verdict,
        "step": tells.step if tells else "",
        "message": tells.message if tells else "",
        "started": info.started,
        "seconds": round(sum(record.seconds for record in records), 3),
        "path": str(run.path),
    }


def runs_json(runs: Sequence[Run]) -> str:
    return json.dumps([summary(run) for run in runs], indent=2)


def run_json(run: Run) -> str:
    standing = run.standing()
    steps = [record.model_dump(mode="json", by_alias=True) for record in standing.records]
    return json.dumps(summary(run, standing) | {"steps": steps}, indent=2)


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
    standings = [run.standing() for run in runs]
    for run in runs:
        table.add_column(run.id, no_wrap=True)
    records = [{record.step: record for record in standing.records} for standing in standings]
    for step in dict.fromkeys(step for found in records for step in found):
        cells = [found.get(step) for found in records]
        table.add_row(step, *(_cell(record.verdict, record.seconds) if record else "" for record in cells))
    table.add_row("", *(_cell(each.verdict, sum(record.seconds for record in each.records)) for each in standings))
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
    standing = run.standing()
    told = summary(run, standing)
    console.print(Text(run.id, style="bold"), verdict_text(told["verdict"]))
    for key in ("commit", "version", "started", "path"):
        console.print(f"  {key:8} {told[key]}", soft_wrap=True)
    console.print(f"  lab.yaml {told['lab_commit'] or 'not committed to a git repository'}", soft_wrap=True)
    console.print(steps_table(standing.records))
    for record in standing.records:
        for artifact in record.artifacts:
            console.print(f"  {artifact.sha256[:12]}  {artifact.path}", soft_wrap=True)
