"""``qalab archive states``: list the states of a track."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.archive.access import facts, reader, tell_left_over
from cli.output import out
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store.run_directory import check_known


@click.command("states")
@click.argument("track")
@lab_option
@json_option
def command(track: str, lab_file: Path, *, as_json: bool) -> None:
    """List the states of a track, the newest first, with the labels that name them."""
    lab = loading.load(lab_file)
    check_known(lab, track)
    archive = reader(lab)
    names: dict[str, list[str]] = {}
    for label, state in archive.labels().items():
        names.setdefault(state.name, []).append(label)
    tell_left_over(lab)
    pins, states = archive.pins(), archive.states(track)[::-1]
    if as_json:
        rows = [facts(state) | {"labels": names.get(state.name, []), "pinned": state.name in pins} for state in states]
        click.echo(json.dumps(rows, indent=2))
        return
    for state in states:
        notes = [*names.get(state.name, []), *(["pinned"] if state.name in pins else [])]
        out.print(f"{state.name}  {state.why}{'  [' + ', '.join(notes) + ']' if notes else ''}")
    if not states:
        out.print(f"{track} has no states yet: the step archive makes the first one")
