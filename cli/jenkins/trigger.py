"""``qalab jenkins trigger``: start builds for what is new on a track."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import dry_run_option
from cli.output import exit_with_worst, out
from lab.base.errors import ConfigurationError, LabError
from lab.config import access, loading
from lab.config.jenkins import Connection
from lab.config.options import lab_option
from lab.store.run_directory import check_known
from scripts.phases import jenkins_watching


@click.command("trigger")
@click.argument("track")
@lab_option
@dry_run_option
def command(track: str, lab_file: Path, *, dry_run: bool) -> None:
    """Start a build for each upstream commit of TRACK that no build has tested.

    Without a new upstream commit, a new commit on the packaging or the testing branch starts a build of the tip.
    The job TRACK-watch calls this.
    """
    lab = loading.load(lab_file)
    check_known(lab, track)
    if lab.jenkins is None:
        raise ConfigurationError(f"{lab.file}: jenkins: missing", hint="qalab watch starts runs without a Jenkins")
    connection = Connection(access.for_lab(lab.jenkins, lab_file.parent))
    troubles: list[LabError] = []
    started = 0
    for new in jenkins_watching.new_builds(lab, track, connection, troubles):
        if not dry_run:
            jenkins_watching.start(connection, new)
        started += 1
        out.print(f"{new.about}{' (not started)' if dry_run else ''}", soft_wrap=True)
    for trouble in troubles:
        click.echo(f"qalab: {trouble}", err=True)
    if not started and not troubles:
        out.print(f"{track}: nothing new")
    exit_with_worst(troubles)
