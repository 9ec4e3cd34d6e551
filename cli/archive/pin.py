"""``qalab archive pin``: keep a state."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.archive.access import by_option, changing, reason_option, who
from cli.output import out
from lab.config import loading
from lab.config.options import json_option, lab_option
from scripts.archives import labels
from scripts.archives.labels import Reasons


@click.command("pin")
@click.argument("state", metavar="STATE|LABEL")
@lab_option
@reason_option
@by_option
@json_option
def command(state: str, lab_file: Path, *, reason: str, by: str, as_json: bool) -> None:
    """Keep a state until somebody unpins it.

    Of a label, this is the state that it names now.
    """
    lab = loading.load(lab_file)
    with changing(lab) as archive:
        kept = labels.pin(archive, state, Reasons(who(by), reason=reason))
    if as_json:
        click.echo(json.dumps({"pinned": kept.name}, indent=2))
    else:
        out.print(f"{kept.name} is pinned")
