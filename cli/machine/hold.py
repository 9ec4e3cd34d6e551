"""``qalab machine hold``: take a machine for a while."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.base.text import printable_line
from lab.config.options import lab_option
from lab.config.types import MOST
from lab.store import leases
from lab.store.runs import Store


@click.command("hold")
@lab_option
@click.argument("name", metavar="NAME")
@click.option(
    "--hours", default=8.0, show_default=True, type=click.FloatRange(0, MOST, min_open=True), help="For how long."
)
@click.option("--reason", default="", help="What for; the others read it.")
def command(lab_file: Path, name: str, hours: float, reason: str) -> None:
    """Hold a machine, so that nobody else switches its power.  Held by you already: until the new end."""
    lab = load_lab(lab_file, name)
    if not math.isfinite(hours):  # no range of click refuses nan
        raise ConfigurationError(f"--hours: {hours:g}: must be a number")
    until = environment.now() + timedelta(hours=hours)
    lease = leases.hold(Store.of(lab), name, environment.user(), until, printable_line(reason))
    click.echo(f"{name}: {lease}")
