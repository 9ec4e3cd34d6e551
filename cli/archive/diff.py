"""``qalab archive diff``: the difference of two states."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.archive.access import reader
from cli.output import out
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store.archive import SOURCE_LOCK
from scripts.archives.content import differences


@click.command("diff")
@click.argument("before", metavar="STATE|LABEL")
@click.argument("after", metavar="STATE|LABEL")
@lab_option
@json_option
def command(before: str, after: str, lab_file: Path, *, as_json: bool) -> None:
    """Show the source packages whose versions differ between two states."""
    archive = reader(loading.load(lab_file))
    names = [archive.existing(suite).name for suite in (before, after)]
    changes = differences(*(archive.lock(name, SOURCE_LOCK) for name in names))
    if as_json:
        found = {"before": names[0], "after": names[1], "changes": [change.model_dump() for change in changes]}
        click.echo(json.dumps(found, indent=2))
        return
    for change in changes:
        out.print(str(change))
    if not changes:
        out.print(f"{names[0]} and {names[1]} have the same source packages")
