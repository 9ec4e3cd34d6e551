"""``qalab status``: list the runs on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.output import out
from lab.base.errors import ConfigurationError
from lab.base.schema import NewerSchemaError
from lab.config import loading
from lab.config.options import any_lab_option, json_option
from lab.store.run_directory import Run
from lab.store.runs import Store
from lab.store.standing import RunStanding
from reports import status


@click.command("status")
@click.option("--track", help="Only this track.")
@click.option("--component", help="Only this component.")
@any_lab_option
@json_option
def command(track: str | None, component: str | None, lab_file: Path | None, *, as_json: bool) -> None:
    """List the runs on this machine.

    A run that cannot be read is one line on standard error.  The exit code is 2 if a newer qalab wrote it.
    """
    store = Store.of(loading.load(lab_file)) if lab_file else None
    runs, errors = status.survey(track, component, store)
    standings: dict[Run, RunStanding] = {}
    for run in runs:
        try:
            standings[run] = run.standing()
        except NewerSchemaError as error:
            errors.append(error)
    for message in errors:
        click.echo(f"qalab: {message}", err=True)
    if as_json:
        click.echo(status.runs_json([*standings], standings))
    elif standings:
        out.print(status.runs_table([*standings], standings))
    elif errors:
        pass  # their lines are printed
    elif track or component:
        everything = status.survey(store=store).runs
        known = ", ".join(dict.fromkeys(f"{run.info.track}/{run.info.component}" for run in everything))
        raise ConfigurationError(f"no runs of {track or '*'}/{component or '*'}; known: {known or 'none'}")
    elif store:
        out.print("no runs of this lab yet; try: qalab run TRACK COMPONENT")
    else:
        out.print("no runs yet; try: qalab demo")
    if any(isinstance(error, NewerSchemaError) for error in errors):
        sys.exit(ConfigurationError.exit_code)
