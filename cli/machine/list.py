"""``qalab machine list``: list the bare machines of a lab."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from scripts.machines import leases
from scripts.machines.netboot import MachineBoots


@click.command("list")
@lab_option
@json_option
def command(lab_file: Path, *, as_json: bool) -> None:
    """List the lab's machines, who has them, and which of them reboot instead of kexec; ask no power switch."""
    lab = load_lab(lab_file)
    store = Store.of(lab)
    held = {name: leases.current(store, name) for name in lab.machines}
    kexec = {name: MachineBoots(store, name).kexec_failure() for name in lab.machines}
    if as_json:
        found = [
            {
                "name": name,
                "agent": lab.machines[name].power.agent,
                "lease": lease.model_dump() if lease else None,
                "kexec_failure": failure.model_dump() if (failure := kexec[name]) else None,
            }
            for name, lease in held.items()
        ]
        click.echo(json.dumps(found, indent=2))
        return
    for name, lease in held.items():
        click.echo(
            f"{name}: {lab.machines[name].power.agent}; {lease or 'free'}" + (f"; {kexec[name]}" if kexec[name] else "")
        )
    if not held:
        click.echo("no machines")
