"""``qalab machine power``: switch the power of a machine."""

from __future__ import annotations

from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.base import environment
from lab.config.options import lab_option
from lab.store import leases
from lab.store.runs import Store
from scripts.machines.power import switch_of


@click.command("power")
@lab_option
@click.argument("name", metavar="NAME")
@click.argument("state", type=click.Choice(["on", "off", "cycle"]))
def command(lab_file: Path, name: str, state: str) -> None:
    """Switch the power of a machine, and verify it; cycle: off, and on once it is off.

    A machine that somebody else holds is refused.
    """
    lab = load_lab(lab_file, name)
    store, switch = Store.of(lab), switch_of(lab, name)
    with leases.switching(store, name):
        leases.check_free(store, name, environment.user())
        if state == "cycle":
            switch.cycle()
        else:
            switch.switch("on" if state == "on" else "off")
    click.echo(f"{name}: {'on' if state == 'cycle' else state}")
