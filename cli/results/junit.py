"""``qalab results junit``: write the JUnit XML of a run."""

from __future__ import annotations

from pathlib import Path

import click

from lab.store.run_directory import run_at
from reports import junit, status


@click.command("junit")
@click.argument("run_name", metavar="[RUN]", default=".")
def command(run_name: str) -> None:
    """Write results/junit.xml of a run: its steps and the results of their tools.

    RUN: a name or a directory; default: the current directory.
    """
    click.echo(junit.write(run_at(Path(run_name)) or status.find(run_name)))
