"""``qalab status``: list the runs on this machine."""

from __future__ import annotations

import click

from cli.output import out
from lab.base.errors import ConfigurationError
from lab.config.options import json_option
from reports import status


@click.command("status")
@click.option("--track", help="Only this track.")
@click.option("--component", help="Only this component.")
@json_option
def command(track: str | None, component: str | None, *, as_json: bool) -> None:
    """List the runs on this machine."""
    runs, errors = status.survey(track, component)
    for error in errors:
        click.echo(f"qalab: {error}", err=True)
    if as_json:
        click.echo(status.runs_json(runs))
    elif runs:
        out.print(status.runs_table(runs))
    elif track or component:
        known = ", ".join(dict.fromkeys(f"{run.info.track}/{run.info.component}" for run in status.all_runs()))
        raise ConfigurationError(f"no runs of {track or '*'}/{component or '*'}; known: {known or 'none'}")
    else:
        out.print("no runs yet; try: qalab demo")
