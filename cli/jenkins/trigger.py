"""``qalab jenkins trigger``: start builds for what is new on a track, or for what a person asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from cli.options import dry_run_option
from cli.output import exit_with_worst, out
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config import access, loading
from lab.config.jenkins import Connection
from lab.config.options import lab_option
from lab.store.run_directory import check_known
from scripts.phases import jenkins_builds, jenkins_requests, jenkins_watching
from scripts.phases.jenkins_builds import TriggerRound


@click.command("trigger")
@click.argument("track")
@click.argument("components", metavar="[COMPONENT]...", nargs=-1)
@click.option("--commit", metavar="COMMIT", help="Build this upstream commit of the one COMPONENT.")
@click.option("--all", "everything", is_flag=True, help="Build the tip of each component of TRACK.")
@lab_option
@dry_run_option
def command(
    track: str, components: Sequence[str], commit: str | None, lab_file: Path, *, everything: bool, dry_run: bool
) -> None:
    """Start a build for each upstream commit of TRACK that no build has tested.

    Without a new upstream commit, a new commit on the packaging or the testing branch, other settings or a new version
    of a build dependency start a build of the tip.  A component waits for those that it build-depends on.

    On a track of proposed packages, start a build for the next content of the pocket, once the last one is exercised.
    On a track of changes under review, start a build for each open change that is to be tested, and stop builds of heads
    that were replaced and of closed changes.

    The job TRACK-watch calls this.

    With COMPONENT, --commit or --all, start builds whatever was tested before: of the tips, or of COMMIT.  A build that
    Jenkins has lost, or that failed for the lab's fault three times, gets another one so.
    """
    lab = loading.load(lab_file)
    check_known(lab, track)
    if (commit is not None and len(components) != 1) or (everything and components):
        raise click.UsageError("--commit is of one COMPONENT, and --all of no COMPONENT.")
    if commit == "":
        raise click.UsageError("--commit: is empty; without it, the tip is built.")
    if lab.jenkins is None:
        raise ConfigurationError(f"{lab.file}: jenkins: missing", hint="qalab watch starts runs without a Jenkins")
    connection = Connection(access.for_lab(lab.jenkins, lab_file.parent))
    wanted = lab.components_of(track) if everything else [*dict.fromkeys(components)]
    if wanted or everything:
        found = jenkins_requests.requested_builds(lab, track, wanted, commit or "")
    else:
        found = jenkins_watching.new_builds(lab, track, connection)
    troubles = [*found.troubles, *_start_and_stop(connection, found, lab.lab.name, dry_run=dry_run)]
    for component, reason in found.delays.items():
        out.print(f"{component}: {reason}", soft_wrap=True)
    for trouble in troubles:
        click.echo(f"qalab: {trouble}", err=True)
    if not (found.builds or found.outdated or found.delays or troubles):
        out.print(f"{track}: nothing new")
    exit_with_worst(troubles)


def _start_and_stop(connection: Connection, found: TriggerRound, owner: str, *, dry_run: bool) -> Iterator[LabError]:
    """Start and stop builds; yield what failed, which stops no build of another component."""
    failed = set[str]()
    for new in found.builds:
        if new.job in failed:  # the builds of a job keep their order
            continue
        try:
            note = " (not started)"
            if not dry_run:
                note = "" if jenkins_builds.start(connection, new, owner) else " (started meanwhile)"
            out.print(f"{new.about}{note}", soft_wrap=True)
        except (ConfigurationError, InfrastructureError) as error:
            failed.add(new.job)
            yield error
    for old in found.outdated:
        try:
            if not dry_run:
                jenkins_builds.stop(connection, old)
            out.print(f"{old.about}{' (not stopped)' if dry_run else ': stopped'}", soft_wrap=True)
        except (ConfigurationError, InfrastructureError) as error:
            yield error
