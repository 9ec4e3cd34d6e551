"""What bare machines cost, in seconds from the power on until ssh answers: emulated ones, on a network of their own.

They are installed from empty disks, and restored in each of the ways in which the system of a machine can be started: one
machine, and all at once.  An emulated machine has no firmware to speak of: what kexec and switch_root save on a real one
is not in these figures.

As root, with the network; some ten minutes.  ``python -m tests.bench.machines [--machines 3] [--json]``
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import yaml
from rich.console import Console
from rich.table import Table

from lab.config.loading import load
from lab.store.runs import Store
from scripts.drivers.interfaces import Pristine
from scripts.drivers.metal.driver import MetalTarget
from scripts.machines.netboot import Way
from tests.integration.rack import rack, start_by

WAYS: tuple[Way | None, ...] = (None, "kexec", "reboot")
NAMES = {None: "switch_root", "kexec": "kexec", "reboot": "a second boot by network"}
INSTALLED, RESTORED, RESTORED_TOGETHER = "below 60", "below 25", "below 50"


@dataclass(frozen=True)
class Row:
    """The slowest machine of those that were started at once, and when each of its stages ended."""

    what: str
    machines: int
    seconds: float
    stages: dict[str, float]
    aim: str


@contextmanager
def environment(machines: int, boot: str) -> Iterator[MetalTarget]:
    """Provide an environment on a rack whose disks are empty, in a lab of its own."""
    with tempfile.TemporaryDirectory(prefix="qalab-bench-") as directory:
        home = Path(directory)
        os.environ["XDG_STATE_HOME"] = str(home / "state")
        with rack(home, machines, boot) as made:
            os.environ |= made.credentials()
            described = {
                "lab": {"name": "bench", "maintainer": "Bench <bench@lab.example>"},
                "series": {"bookworm": {}},
                "tracks": {"trunk": {"series": "bookworm", "phases": ["deploy"]}},
                "components": {"hello": {}},
                "deployment": {"target": "metal", "applications": {"hello": {"role": "package"}}},
                **made.settings(),
            }
            (home / "lab.yaml").write_text(yaml.safe_dump(described))
            lab = load(home / "lab.yaml")
            made.serve(lab.file)
            target = MetalTarget(Store.of(lab).environments / "trunk", None, lab)
            try:
                yield target
            finally:
                target.destroy()


def slowest(target: MetalTarget, what: str, aim: str) -> Row:
    noted = target.noted()
    assert noted
    assert noted.whole
    stages: Mapping[str, float] = max(noted.stages.values(), key=lambda each: each["ssh"])
    return Row(what, len(noted.stages), stages["ssh"], dict(stages), aim)


def measured(machines: int, boot: str) -> Iterator[Row]:
    """Yield what one installation, and a restoration in each way, take on a number of machines at once."""
    with environment(machines, boot) as target:
        assert target.described
        with target.prepare(Pristine("bookworm", target.described.series["bookworm"])) as snapshot:
            target.create(snapshot, [f"node{number}" for number in range(machines)])
        yield slowest(target, "install the image", INSTALLED)
        for way in WAYS:
            start_by(target, way)
            target.reset()
            yield slowest(target, f"restore by {NAMES[way]}", RESTORED if machines == 1 else RESTORED_TOGETHER)


def show(rows: Sequence[Row]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "machines at once", "seconds", "aim", "stages"):
        table.add_column(name)
    for row in rows:
        stages = ", ".join(f"{name} {seconds:.0f}" for name, seconds in row.stages.items())
        table.add_row(row.what, str(row.machines), f"{row.seconds:.1f}", row.aim, stages)
    return table


@click.command()
@click.option("--machines", default=3, show_default=True, help="How many at once, after one alone.")
@click.option("--boot", type=click.Choice(["bios", "uefi"]), default="bios", show_default=True, help="Their firmware.")
@click.option("--json", "as_json", is_flag=True)
def main(machines: int, boot: str, *, as_json: bool) -> None:
    """Measure one machine, and all at once."""
    rows = [row for number in (1, machines) for row in measured(number, boot)]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console().print(show(rows))


if __name__ == "__main__":
    main()
