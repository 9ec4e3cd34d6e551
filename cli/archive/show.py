"""``qalab archive show``: a state or a label."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.archive.access import advice, facts, reader, why_line
from cli.output import out, print_lines
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store import promotions
from lab.store.archive import SOURCE_LOCK
from lab.store.runs import Store


@click.command("show")
@click.argument("suite", metavar="STATE|LABEL")
@lab_option
@json_option
def command(suite: str, lab_file: Path, *, as_json: bool) -> None:
    """Show a state, by its name or by a label: its parent, what changed, the versions that it has.

    For a label, also show its moves, and what the last promotion has held back.
    """
    lab = loading.load(lab_file)
    archive = reader(lab)
    state = archive.existing(suite)
    moves = archive.moves(suite)
    sources, binaries = archive.lock(state.name, SOURCE_LOCK), archive.lock(state.name)
    waiting = promotions.waiting(Store.of(lab), suite)
    components = waiting.components if waiting else ()
    labels = [label for label, named in archive.labels().items() if named.name == state.name]
    if as_json:
        found = facts(state) | {
            "labels": labels,
            "pinned": state.name in archive.pins(),
            "moves": [move.model_dump() for move in moves],
            "waiting": [one.model_dump() for one in components],
            "sources": [f"{name}={version}" for name, version in sources],
            "packages": [f"{name}={version}" for name, version in binaries],
        }
        click.echo(json.dumps(found, indent=2))
        return
    out.print(f"{state.name}: {state.why}; made {state.created}; parent: {state.parent or 'none'}")
    for change in state.changes:
        out.print(f"  changed: {change}")
    if labels:
        out.print(f"labels: {', '.join(labels)}")
    for name, pin in archive.pins().items():
        if name == state.name:
            out.print(f"pinned by {pin.who}, {pin.when}{': ' if pin.reason else ''}{pin.reason}")
    for move in moves:
        runs = f" for {', '.join(move.runs)}" if move.runs else ""
        reason = f": {move.reason}" if move.reason else ""
        out.print(f"{move.kind} by {move.who}, {move.when}: {move.before or '(none)'} -> {move.after}{runs}{reason}")
    for one in components:
        out.print(f"not in {suite}: {why_line(one)}")
    print_lines(advice(state.track, components))
    for name, version in sources:
        out.print(f"{name} {version}")
