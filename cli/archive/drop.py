"""``qalab archive drop``: remove a label that lab.yaml does not name any more."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.archive.access import changing
from cli.options import confirm, yes_option
from cli.output import out
from lab.base import files
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from scripts.archives import labels


@click.command("drop")
@click.argument("label")
@lab_option
@yes_option
@json_option
def command(label: str, lab_file: Path, *, yes: bool, as_json: bool) -> None:
    """Remove a label that lab.yaml does not name any more, with the record of its moves.

    apt on machines of users does not find the label then.  `qalab archive gc` may remove the states that it kept.
    """
    lab = loading.load(lab_file)
    with changing(lab) as archive:
        labels.check_left_over(lab, archive.store, label)
    confirm(f"remove the label {label}, which apt on machines of users may use", yes=yes)
    with files.locked(Store.of(lab).lock_path("promotion", label)), changing(lab) as archive:
        labels.drop(archive, label)
    if as_json:
        click.echo(json.dumps({"dropped": label}, indent=2))
    else:
        out.print(f"{label} is no label any more")
