"""``qalab setup``: install the prerequisites."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from cli.output import out
from lab.base import environment
from lab.config import deployments, loading
from lab.config.options import lab_option
from scripts.host import lab_server_unit, prerequisites


@click.command("setup")
@lab_option
@click.option("--lab-server", "with_server", is_flag=True, help="Also run `qalab machine serve` from each boot on.")
def command(lab_file: Path, *, with_server: bool) -> None:
    """Install the Debian packages that the lab needs; as root, also create the build user.

    The targets of the lab's deployments can need more; without a lab file, only what every lab needs is installed.
    """
    lab = loading.load(lab_file) if lab_file.exists() else None
    with _log() as log:
        prerequisites.setup(out.print, log, deployments.targets(lab) if lab else ())
        if with_server:
            lab_server_unit.set_up(lab, out.print, log)
    out.print("this machine is set up")


def _log() -> IO[str]:
    """Open setup.log in the state directory, for the output of apt and others."""
    path = environment.state_home() / "setup.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8")


def set_up_if_needed() -> None:
    """Install the prerequisites unless all are there."""
    if not prerequisites.is_set_up():
        with _log() as log:
            prerequisites.setup(out.print, log)
