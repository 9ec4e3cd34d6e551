"""``qalab setup``: install the prerequisites."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import out
from lab.base import environment
from lab.config import loading
from lab.config.options import lab_option
from scripts.host import archive_cache, prerequisites


@click.command("setup")
@lab_option
@click.option("--archive-cache", "with_cache", is_flag=True, help="Also install squid, which keeps what apt downloads.")
def command(lab_file: Path, *, with_cache: bool) -> None:
    """Install the Debian packages that the lab needs; as root, also create the build user.

    The target of the lab's deployments can need more; without a lab file, only what every lab needs is installed.
    """
    set_up(prerequisites.target_of(loading.load(lab_file) if lab_file.exists() else None), with_cache=with_cache)
    out.print("this machine is set up")


def set_up(target: str = "", *, with_cache: bool = False) -> None:
    """Install what is missing for a lab with this target; apt's output goes to setup.log in the state directory.

    ``with_cache``: also the archive cache.
    """
    path = environment.state_home() / "setup.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        prerequisites.setup(out.print, stream, target)
        if with_cache:
            archive_cache.set_up(out.print, stream)


def set_up_if_needed() -> None:
    """Install the prerequisites unless all are there."""
    if not prerequisites.is_set_up():
        set_up()
