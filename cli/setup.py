"""``qalab setup``: install the prerequisites."""

from __future__ import annotations

import click

from cli.output import out
from lab.base import environment
from scripts.host import prerequisites


@click.command("setup")
def command() -> None:
    """Install the Debian packages that the lab needs; as root, also create the build user."""
    set_up()
    out.print("this machine is set up")


def set_up() -> None:
    """Install what is missing; apt's output goes to setup.log in the state directory."""
    path = environment.state_home() / "setup.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        prerequisites.setup(out.print, stream)


def set_up_if_needed() -> None:
    """Install the prerequisites unless all are there."""
    if not prerequisites.is_set_up():
        set_up()
