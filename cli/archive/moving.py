"""What ``qalab archive promote`` and ``demote`` share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypedDict, TypeVar

import click

from cli.archive.access import by_option, changing, reader, reason_option, run_option, who
from cli.options import confirm, dry_run_option, yes_option
from cli.output import out
from lab.config import loading
from lab.config.options import json_option
from scripts.archives import labels
from scripts.archives.labels import Reasons

Command = TypeVar("Command", bound=Callable[..., object])


class MoveOptions(TypedDict):
    runs: tuple[str, ...]
    reason: str
    by: str
    yes: bool
    dry_run: bool
    as_json: bool


def move_options(command: Command) -> Command:
    """Give a command the options of a move."""
    for option in (json_option, dry_run_option, yes_option, by_option, reason_option, run_option):
        command = option(command)
    return command


def carry_out(
    kind: Literal["promotion", "demotion"], lab_file: Path, label: str, name: str, options: MoveOptions
) -> None:
    """Move a label, and print the move."""
    lab = loading.load(lab_file)
    archive = reader(lab)
    state, now = labels.target(lab, archive, kind, label, name), archive.state(label)
    before, same = now.name if now else "", bool(now and now.name == state.name)
    if not (same or options["dry_run"]):
        if kind == "demotion":
            confirm(f"move {label} from {before} back to {state.name}", yes=options["yes"])
        by = Reasons(who(options["by"]), options["runs"], options["reason"])
        with changing(lab) as changed:
            same = labels.move(changed, kind, label, state.name, by) is None
    if options["as_json"]:
        moved = not (same or options["dry_run"])
        found = {"label": label, "before": before, "after": state.name, "moved": moved, "dry_run": options["dry_run"]}
        click.echo(json.dumps(found, indent=2))
    elif same:
        out.print(f"{label} names {state.name} already")
    else:
        would = "would move" if options["dry_run"] else "moved"
        out.print(f"{label} {would} from {before or '(none)'} to {state.name}")
