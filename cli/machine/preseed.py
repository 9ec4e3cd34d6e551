"""``qalab machine preseed``: a file for an installer of Debian or Ubuntu."""

from __future__ import annotations

from pathlib import Path

import click

from cli.machine.names import chosen_series, load_lab
from lab.config.options import lab_option
from scripts.drivers.metal import installer


@click.command("preseed")
@lab_option
@click.argument("name", metavar="NAME")
@click.option("--series", help="The series of the system. Default: the first one of the lab.")
def command(lab_file: Path, name: str, series: str | None) -> None:
    """Print the preseed for Debian's installer, or the user data for Ubuntu's, that installs a machine.

    `qalab machine restore` uses the snapshot that the installer takes at its end. The file has no secret.
    """
    lab = load_lab(lab_file, name)
    click.echo(installer.answers(lab, name, chosen_series(lab, series)), nl=False)
