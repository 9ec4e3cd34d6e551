"""``qalab archive demote``: move a label back to an older state."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from cli.archive.moving import MoveOptions, carry_out, move_options
from lab.config.options import lab_option


@click.command("demote")
@click.argument("label")
@click.argument("state", default="")
@lab_option
@move_options
def command(label: str, state: str, lab_file: Path, **options: Unpack[MoveOptions]) -> None:
    """Move a label back to an older state; by default to the newest older one that it has named.

    apt does not downgrade packages by itself: the pin file of the label, LABEL.pref, has it do so.
    """
    carry_out("demotion", lab_file, label, state, options)
