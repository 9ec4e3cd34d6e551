"""``qalab setup``: install the prerequisites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from cli.output import out
from lab.base import environment
from lab.config import deployments, loading
from lab.config.options import lab_option
from scripts.host import prerequisites


@click.command("setup")
@lab_option
def command(lab_file: Path) -> None:
    """Install the Debian packages that the lab needs; as root, also create the build user.

    The targets of the lab's deployments can need more; without a lab file, only what every lab needs is installed.
    """
    set_up(deployments.targets(loading.load(lab_file)) if lab_file.exists() else ())
    out.print("this machine is set up")


def set_up(targets: Sequence[str] = ()) -> None:
    """Install what is missing for a lab with these targets; apt's output goes to setup.log in the state directory."""
    path = environment.state_home() / "setup.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        prerequisites.setup(out.print, stream, targets)


def set_up_if_needed() -> None:
    """Install the prerequisites unless all are there."""
    if not prerequisites.is_set_up():
        set_up()
