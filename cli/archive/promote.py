"""``qalab archive promote``: move a label to a newer state."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from cli.archive.moving import MoveOptions, carry_out, move_options
from lab.config.options import lab_option


@click.command("promote")
@click.argument("label")
@click.argument("state", default="")
@lab_option
@move_options
def command(label: str, state: str, lab_file: Path, **options: Unpack[MoveOptions]) -> None:
    """Move a label, such as TRACK-tested, to a newer state; by default to the newest one.

    All that read the label find the old state or the new one.  The record of the move says who moved it, when, from
    and to which state, and for which runs.  A repeated promotion changes nothing.
    """
    carry_out("promotion", lab_file, label, state, options)
