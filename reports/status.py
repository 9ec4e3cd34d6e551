"""The runs of this machine, as tables for a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.store.records import Record
from lab.store.run_directory import Run, run_at
from lab.store.runs import LOCAL, RUNS, Store, Survey
from lab.store.standing import RunStanding

# A verdict has a sign and a word; its colour only repeats them.
SIGNS = {
    "passed": ("✔", "green"),
    "failed": ("✘", "red"),
    "unstable": ("!", "yellow"),
    "error": ("⚠", "magenta"),
    "aborted": ("■", "magenta"),
    "skipped": ("-", "dim"),
    "running": ("…", "cyan"),
}
# A column for 80 characters.
SHORT_CAUSES: Mapping[str, str] = {
    "upstream commit": "commit",
    "packaging commit": "packaging",
    "testing commit": "testing",
    "dependency": "dependency",
    "base": "base",
    "settings": "settings",
    "change under review": "review",
    "proposed packages": "proposed",
    "by hand": "by hand",
}
NONE: Mapping[Run, RunStanding] = {}


def verdict_text(verdict: str) -> Text:
    sign, style = SIGNS[verdict]
    return Text(f"{sign} {verdict}", style=style)


def stores() -> list[Store]:
    """Return the stores of all labs with runs on this machine."""
    home = environment.state_home()
    return [Store(path) for path in sorted({path.parent for name in (RUNS, LOCAL) for path in home.glob(f"*/{name}")})]


def all_runs(track: str | None = None, component: str | None = None) -> list[Run]:
    """Return all runs on this machine, oldest first."""
    return survey(track, component).runs


def survey(track: str | None = None, component: str | None = None, store: Store | None = None) -> Survey:
    """Read the run.json of each run on this machine, or in the store of a lab, once; return the runs, oldest first."""
    found = [store] if store else stores()
    surveys = [read(track, component) for store in found for read in (store.survey, store.local_runs)]
    runs = [run for part in surveys for run in part.runs]
    return Survey(sorted(runs, key=lambda run: run.info.started), [error for part in surveys for error in part.errors])


def find(name: str, lab: str = "") -> Run:
    """Return a run by TRACK/COMPONENT/NUMBER, LAB/TRACK/COMPONENT/NUMBER, or path.

    If several labs have a run of that name, ``lab`` decides.  Raises ConfigurationError for an unknown or
    ambiguous name, and for an unreadable run.json.
    """
    runs = _named(name.strip("/").split("/"))
    runs = [run for run in runs if run.info.lab == lab] or runs
    if len(runs) > 1:
        choice = ", ".join(f"{run.info.lab}/{run.id}" for run in runs)
        raise ConfigurationError(f"{name}: is ambiguous; use one of: {choice}")
    if run := runs[0] if runs else run_at(Path(name)):
        run.info  # noqa: B018 - reads run.json
        return run
    known = ", ".join(run.id for run in all_runs()[-5:]) or "none yet"
    raise ConfigurationError(f"no run {name}; the last ones: {known}")


def _named(parts: Sequence[str]) -> list[Run]:
    """Return the runs of the labs at [LAB/]TRACK/COMPONENT/NUMBER, oldest first."""
    match parts:
        case [lab, track, component, number]:
            found = [store.run(track, component, number) for store in stores() if store.root.name == lab]
        case [track, component, number]:
            found = [store.run(track, component, number) for store in stores()]
        case _:
            found = []
    return sorted(filter(None, found), key=lambda run: run.info.started)


def summary(run: Run, standing: RunStanding | None = None) -> dict[str, Any]:
    """Return a run as `qalab status --json` shows it; ``standing`` is read if it is missing."""
    info, standing = run.info, standing or run.standing()
    records = standing.records
    # The last step, unless an earlier one explains the verdict (lintian, for an unstable run).
    step = next((record for record in reversed(records) if record.verdict not in {"passed", "skipped"}), None)
    step = step or (records[-1] if records else None)
    message = step.message if step else ""
    if standing.verdict == "aborted" and step and step.finished_well and step.step == info.until:
        message = f"stopped after {info.until}, as requested: {message}"
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
        "cause": info.cause,
        "working_tree": info.working_tree.model_dump() if info.working_tree else None,
        "verdict": standing.verdict,
        "step": step.step if step else "",
        "message": message,
        "started": info.started,
        "seconds": round(sum(record.seconds for record in records), 3),
        "path": str(run.path),
    }


def runs_json(runs: Sequence[Run], standings: Mapping[Run, RunStanding] = NONE) -> str:
    """Return the runs as JSON; a standing that is not given is read."""
    return json.dumps([summary(run, standings.get(run)) for run in runs], indent=2)


def run_json(run: Run) -> str:
    standing = run.standing()
    steps = [record.model_dump(mode="json", by_alias=True) for record in standing.records]
    return json.dumps(summary(run, standing) | {"steps": steps}, indent=2)


def runs_table(runs: Sequence[Run], standings: Mapping[Run, RunStanding] = NONE) -> Table:
    """Return a table for 80 columns: long text is folded, not truncated.  Runs of several labs have the lab's name."""
    several = len({run.info.lab for run in runs}) > 1
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("run", "verdict", "started", "duration", "cause", "message"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"verdict", "started", "duration"})
    for run in runs:
        values = summary(run, standings.get(run))
        is_quiet = values["verdict"] in {"passed", "running"}
        table.add_row(
            f"{values['lab']}/{run.id}" if several else run.id,
            verdict_text(values["verdict"]),
            values["started"][5:16].replace("T", " "),
            duration(values["seconds"]),
            SHORT_CAUSES.get(values["cause"], values["cause"]),
            values["version"] if is_quiet else f"{values['step']}: {values['message']}",
        )
    return table


def steps_table(records: Sequence[Record]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading, justify in (("step", "left"), ("verdict", "left"), ("duration", "right"), ("message", "left")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for record in records:
        table.add_row(record.step, verdict_text(record.verdict), duration(record.seconds), record.message)
    return table


def side_by_side(runs: Sequence[Run]) -> Table:
    """Return a table of steps by runs, with the verdict and duration of each step."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("step")
    standings = [run.standing() for run in runs]
    for run in runs:
        table.add_column(run.id, no_wrap=True)
    records = [{record.step: record for record in standing.records} for standing in standings]
    for step in dict.fromkeys(step for by_step in records for step in by_step):
        cells = [by_step.get(step) for by_step in records]
        table.add_row(step, *(_cell(record.verdict, record.seconds) if record else "" for record in cells))
    table.add_row(
        "", *(_cell(standing.verdict, sum(record.seconds for record in standing.records)) for standing in standings)
    )
    return table


def _cell(verdict: str, seconds: float) -> Text:
    return verdict_text(verdict).append(f" {duration(seconds)}", style="default")


def duration(seconds: float) -> str:
    if round(seconds, 1) < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def show(console: Console, run: Run) -> None:
    """Print a run, its steps and its files."""
    standing = run.standing()
    values = summary(run, standing)
    console.print(Text(run.id, style="bold"), verdict_text(values["verdict"]))
    for key in ("commit", "version", "cause", "started", "path"):
        console.print(f"  {key:8} {values[key]}".rstrip(), soft_wrap=True)
    if tree := run.info.working_tree:
        state = f"{tree.changed} changed" if tree.dirty else "no changes"
        console.print(f"  tree     {tree.directory} at {tree.commit[:7]}, {state}, {tree.tree}", soft_wrap=True)
    console.print(f"  lab.yaml {values['lab_commit'] or 'not committed to a git repository'}", soft_wrap=True)
    console.print(steps_table(standing.records))
    for record in standing.records:
        for artifact in record.artifacts:
            console.print(f"  {artifact.sha256[:12]}  {artifact.path}", soft_wrap=True)
