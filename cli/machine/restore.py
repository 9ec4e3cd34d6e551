"""``qalab machine restore``: restore a machine to pristine."""

from __future__ import annotations

from pathlib import Path

import click

from cli.machine.names import restore_by_hand
from lab.config.options import lab_option


@click.command("restore")
@lab_option
@click.argument("name", metavar="NAME")
@click.option("--series", help="The series of the system. Default: the first one of the lab.")
def command(lab_file: Path, name: str, series: str | None) -> None:
    """Restore a machine to the pristine snapshot of a series; install it if it has none.

    What is on it is lost. The machine is held by you then, and is the environment NAME: see `qalab env shell`.
    """
    restore_by_hand(lab_file, name, series)
