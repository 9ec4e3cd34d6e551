"""``qalab machine install``: install a machine anew."""

from __future__ import annotations

from pathlib import Path

import click

from cli.machine.names import install_by_hand
from lab.config.options import lab_option


@click.command("install")
@lab_option
@click.argument("name", metavar="NAME")
@click.option("--series", help="The series of the system. Default: the first one of the lab.")
def command(lab_file: Path, name: str, series: str | None) -> None:
    """Install a machine anew, and make the pristine snapshot of a series.

    What is on it is lost. The machine is held by you then, and is the environment NAME: see `qalab env shell`.
    """
    install_by_hand(lab_file, name, series)
