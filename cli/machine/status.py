"""``qalab machine status``: ask power switches."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.base.errors import LabError
from lab.config.description import Lab
from lab.config.options import lab_option
from lab.store.runs import Store
from scripts.machines.netboot import MachineBoots
from scripts.machines.power import switch_of


@click.command("status")
@lab_option
@click.argument("names", nargs=-1, metavar="[NAME...]")
def command(lab_file: Path, names: tuple[str, ...]) -> None:
    """Print whether the named machines, or all, are on or off, as their power switches say.

    A machine whose kexec failed reboots instead, until `qalab machine install`; it says so.
    """
    lab = load_lab(lab_file, *names)
    chosen = names or tuple(lab.machines)
    with ThreadPoolExecutor(len(chosen) or 1) as pool:
        found = list(pool.map(partial(_status, lab), chosen))
    for name, (line, _) in zip(chosen, found, strict=True):
        failure = MachineBoots(Store.of(lab), name).kexec_failure()
        click.echo(line + (f"; {failure}" if failure else ""))
    sys.exit(max((code for _, code in found), default=0))


def _status(lab: Lab, name: str) -> tuple[str, int]:
    """Return what a machine's power switch says, and the exit code for that; one does not stop the others."""
    try:
        return f"{name}: {switch_of(lab, name).status()}", 0
    except LabError as error:
        return f"{name}: {str(error).removeprefix(f'{name}: ')}", error.exit_code
