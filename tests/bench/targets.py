"""What targets cost, in seconds: made, booted, reset, destroyed; what it takes to deploy on them.

Nodes are containers, and virtual machines where qemu is installed.  Deployed are keystone, and a whole cloud, each from a
bare base and from layers; a part of that is the time that services must keep running.

As root, with the network; some ten minutes the first time.  Layers and images are kept where deployments keep theirs.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from lab.config.description import Lab, Series
from scripts.deployment.deployer_choice import deployer
from scripts.deployment.planner import pristine, topology
from scripts.drivers.interfaces import Pristine, Provisioner
from scripts.drivers.nspawn import leftovers
from scripts.drivers.nspawn.driver import NspawnTarget
from scripts.drivers.qemu import driver as qemu
from scripts.drivers.qemu.virtual_machine import has_kvm

RELATIONS = {
    "mariadb": (),
    "memcached": (),
    "keystone": ("mariadb", "memcached"),
    "rabbitmq": (),
    "glance": ("keystone",),
    "placement": ("keystone",),
    "nova": ("keystone", "placement", "glance"),
    "neutron": ("keystone",),
    "nova-compute": ("neutron", "nova"),
    "cinder": ("glance",),
}
DEPLOYMENTS = {"keystone": tuple(RELATIONS)[:3], "a whole cloud": tuple(RELATIONS)}
AIMS = {"keystone": "a fifth of that from a bare base, settle aside", "a whole cloud": "a third of it, settle aside"}


def described(names: Sequence[str]) -> Lab:
    """A lab that tests keystone, with applications around it."""
    return Lab.model_validate({
        "lab": {"name": "bench", "maintainer": "Bench <bench@lab.example>"},
        "series": {"bookworm": {}},
        "tracks": {"trunk": {"series": "bookworm", "phases": ("deploy",)}},
        "components": {"keystone": {}},
        "deployment": {
            "applications": {name: {"role": name} for name in names},
            "relations": tuple((name, other) for name in names for other in RELATIONS[name]),
        },
    })  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Something that is done: the median, and what is aimed at."""

    what: str
    seconds: float
    rounds: tuple[float, ...]
    aim: str = ""


def timed(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return round(time.monotonic() - began, 2)


def bare(target: Provisioner, name: str, rounds: int) -> list[Row]:
    """A node with nothing on it; what it is made from counts once, and is there already the next time."""
    found: dict[str, list[float]] = {"create and boot": [], "reset": [], "destroy": []}
    began = time.monotonic()
    with target.prepare(Pristine("bookworm", Series())) as snapshot:
        found = {"prepare": [round(time.monotonic() - began, 2)], **found}
        for _ in range(rounds):
            found["create and boot"].append(timed(lambda: target.create(snapshot, ["node0"])))
            found["reset"].append(timed(target.reset))
            found["destroy"].append(timed(target.destroy))
    return [Row(f"{name}: {what}", median(took), tuple(took)) for what, took in found.items()]


def deployed(home: Path, what: str, rounds: int, *, layers: bool) -> list[Row]:
    """A deployment until it is well; and back."""
    lab = described(DEPLOYMENTS[what])
    wanted = topology(lab, "trunk", "keystone", {})
    whole = pristine(lab, "trunk", wanted, None)
    target, took, resets, settled = NspawnTarget(home / "deployed"), [], [], []
    with target.prepare(whole if layers else replace(whole, packages=())) as snapshot:
        for _ in range(rounds):

            def deploy() -> None:
                nodes = target.create(snapshot, wanted.nodes)
                settled.append(deployer(target, nodes, None, {}, lambda _: None).deploy(wanted).seconds["settle"])

            took.append(timed(deploy))
            resets.append(timed(target.reset))
            target.destroy()
    if not layers:
        return [Row(f"{what}: deploy from a bare base", median(took), tuple(took))]
    return [
        Row(f"{what}: deploy from layers", median(took), tuple(took), AIMS[what]),
        Row(
            f"{what}: of that, settle", median(settled), tuple(settled), f"{wanted.settle_seconds:g}, and below 5 more"
        ),
        Row(f"{what}: reset", median(resets), tuple(resets), "below 3"),
    ]


def show(rows: Sequence[Row]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "seconds", "rounds", "aim"):
        table.add_column(name)
    for row in rows:
        table.add_row(row.what, f"{row.seconds:.2f}", " ".join(f"{each:.2f}" for each in row.rounds), row.aim)
    return table


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--deploy/--no-deploy", default=True, help="Whether to measure deployments, too.")
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, *, deploy: bool, as_json: bool) -> None:
    """Measure, and see that nothing is left."""
    with tempfile.TemporaryDirectory(prefix="qalab-bench-") as directory:
        home = Path(directory, "environments")
        rows = bare(NspawnTarget(home / "bare"), "a bare container", rounds)
        if why := qemu.missing_prerequisite():
            click.echo(f"no virtual machine: {why}", err=True)
        else:
            accelerator = "KVM" if has_kvm() else "emulation"
            rows += bare(qemu.QemuTarget(home / "machine"), f"a bare virtual machine by {accelerator}", rounds)
        for what in DEPLOYMENTS if deploy else ():
            rows += [*deployed(home, what, 1, layers=False), *deployed(home, what, rounds, layers=True)]
        left = leftovers.left_by(home)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console().print(show(rows))
    if left:
        click.echo("\n".join(left), err=True)
        sys.exit(3)


if __name__ == "__main__":
    main()
