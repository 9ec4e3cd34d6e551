"""``qalab show``: show one run."""

from __future__ import annotations

from pathlib import Path

import click

from cli.named_run import named_run
from cli.output import out
from lab.config.options import any_lab_option, json_option
from reports import status


@click.command("show")
@click.argument("run_name", metavar="RUN")
@any_lab_option
@json_option
def command(run_name: str, lab_file: Path | None, *, as_json: bool) -> None:
    """Show a run: its steps, verdicts and files."""
    found = named_run(run_name, lab_file)
    if as_json:
        click.echo(status.run_json(found))
    else:
        status.show(out, found)
