"""``qalab machine release``: give a machine back."""

from __future__ import annotations

from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.base import environment
from lab.config.options import lab_option
from lab.store import leases
from lab.store.runs import Store
from scripts.machines.netboot import MachineBoots


@click.command("release")
@lab_option
@click.argument("name", metavar="NAME")
@click.option("--force", is_flag=True, help="Also if somebody else holds it.")
def command(lab_file: Path, name: str, *, force: bool) -> None:
    """Release a machine that you hold.

    A restoration of it ends: from the next boot on, it boots what is on its disk.
    """
    store = Store.of(load_lab(lab_file, name))
    lease = leases.release(store, name, environment.user(), force=force)
    MachineBoots(store, name).withdraw()
    click.echo(f"{name}: free" + (f"; it was {lease}" if lease else " already"))
