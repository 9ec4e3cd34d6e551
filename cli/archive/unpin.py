"""``qalab archive unpin``: let retention remove a state again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.archive.access import changing
from cli.output import out
from lab.config import loading
from lab.config.options import json_option, lab_option
from scripts.archives import labels


@click.command("unpin")
@click.argument("states", metavar="STATE|LABEL...", nargs=-1, required=True)
@lab_option
@json_option
def command(states: tuple[str, ...], lab_file: Path, *, as_json: bool) -> None:
    """Undo the pin of states: `qalab archive gc` may remove them again.

    Of a label, this is the state that it names now.
    """
    lab = loading.load(lab_file)
    with changing(lab) as archive:
        unpinned = labels.unpin(archive, states)
    if as_json:
        click.echo(json.dumps({"unpinned": list(unpinned)}, indent=2))
    else:
        for state in unpinned:
            out.print(f"{state} is not pinned any more")
