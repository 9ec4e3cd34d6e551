"""``qalab init``: start a lab in a git repository of its own."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import out
from generator import new_lab


@click.command("init")
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--from", "example", default="minimal", show_default=True, type=click.Choice([*new_lab.EXAMPLES]))
def command(directory: Path, example: str) -> None:
    """Start a lab in a git repository: lab.yaml, its jobs, a README."""
    for path in new_lab.create(directory, example):
        out.print(f"{path}")
    out.print("edit lab.yaml, then: qalab check; qalab jenkins generate; qalab run TRACK COMPONENT")
