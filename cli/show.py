"""``qalab show``: show one run."""

from __future__ import annotations

import click

from cli.output import out
from lab.config.options import json_option
from reports import status


@click.command("show")
@click.argument("run_name", metavar="RUN")
@json_option
def command(run_name: str, *, as_json: bool) -> None:
    """Show a run: its steps, verdicts and files."""
    found = status.find(run_name)
    if as_json:
        click.echo(status.run_json(found))
    else:
        status.show(out, found)
