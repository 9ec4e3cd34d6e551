"""``qalab machine status``: ask power switches."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.base.errors import InfrastructureError
from lab.config.options import lab_option
from lab.store.runs import Store
from scripts.machines.netboot import MachineBoots
from scripts.machines.power import PowerSwitch, switch_of


@click.command("status")
@lab_option
@click.argument("names", nargs=-1, metavar="[NAME...]")
def command(lab_file: Path, names: tuple[str, ...]) -> None:
    """Print whether the named machines, or all, are on or off, as their power switches say.

    A machine whose kexec failed reboots instead, until `qalab machine install`; it says so.
    """
    lab = load_lab(lab_file, *names)
    switches = [switch_of(lab, name) for name in names or lab.machines]
    kexec = [MachineBoots(Store.of(lab), switch.machine).kexec_failure() for switch in switches]
    with ThreadPoolExecutor(len(switches) or 1) as pool:
        lines = list(pool.map(_line, switches))
    for line, failure in zip(lines, kexec, strict=True):
        click.echo(line.removeprefix(FAILED) + (f"; {failure}" if failure else ""))
    sys.exit(InfrastructureError.exit_code if any(line.startswith(FAILED) for line in lines) else 0)


FAILED = "\0"


def _line(switch: PowerSwitch) -> str:
    try:
        return f"{switch.machine}: {switch.status()}"
    except InfrastructureError as error:
        return f"{FAILED}{error}"
