"""``qalab results junit``: write the JUnit XML of a run."""

from __future__ import annotations

from pathlib import Path

import click

from cli.named_run import named_run
from lab.config.options import any_lab_option
from lab.store.run_directory import run_at
from reports import junit


@click.command("junit")
@click.argument("run_name", metavar="[RUN]", default=".")
@any_lab_option
def command(run_name: str, lab_file: Path | None) -> None:
    """Write results/junit.xml of a run: its steps and the results of their tools.

    RUN: a name or a directory; default: the current directory.
    """
    click.echo(junit.write(run_at(Path(run_name)) or named_run(run_name, lab_file)))
