"""``qalab machine list``: list the bare machines of a lab."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.config.options import json_option, lab_option
from lab.store import leases, restorations
from lab.store.runs import Store
from scripts.machines.netboot import MachineBoots


@click.command("list")
@lab_option
@json_option
def command(lab_file: Path, *, as_json: bool) -> None:
    """List the lab's machines: who has them, their last restoration, whether they reboot instead of kexec.

    No power switch is asked.
    """
    lab = load_lab(lab_file)
    store = Store.of(lab)
    held = {name: leases.current(store, name) for name in lab.machines}
    kexec = {name: MachineBoots(store, name).kexec_failure() for name in lab.machines}
    restored = {name: restorations.newest(store, name) for name in lab.machines}
    if as_json:
        found = [
            {
                "name": name,
                "agent": lab.machines[name].power.agent,
                "lease": lease.model_dump() if lease else None,
                "kexec_failure": failure.model_dump() if (failure := kexec[name]) else None,
                "restorations": [one.model_dump() for one in restored[name]],
            }
            for name, lease in held.items()
        ]
        click.echo(json.dumps(found, indent=2))
        return
    for name, lease in held.items():
        parts = [lab.machines[name].power.agent, lease or "free", *restored[name][:1], kexec[name]]
        click.echo(f"{name}: {'; '.join(str(part) for part in parts if part)}")
    if not held:
        click.echo("no machines")
