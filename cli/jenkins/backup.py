"""``qalab jenkins backup``: save a Jenkins to a git repository."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from cli.jenkins.scope_options import ServerOptions, server_options
from cli.output import exit_with_worst, out
from generator import backup
from generator.scope import scope_of
from lab.base import environment


@click.command("backup")
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
@server_options
def command(*, directory: Path | None, **options: Unpack[ServerOptions]) -> None:
    """Save all jobs, folders, views and the list of plugins to a git repository.

    Each config.xml is saved byte for byte.  Of an item that cannot be read, an earlier copy stays; the exit code tells.
    DIRECTORY: by default jenkins-backup in the lab's state directory.
    """
    scope = scope_of(**options)
    directory = directory or environment.state_home() / scope.owner / "jenkins-backup"
    saved = backup.save(scope.server, backup.Backup(directory.resolve(), scope.author))
    counts = f"{saved.items} items, {saved.changed} changed, {saved.removed} removed"
    out.print(f"{directory}: {counts}; {f'commit {saved.commit[:12]}' if saved.commit else 'nothing new'}")
    if not saved.has_plugins:
        out.print(
            f"{directory}: without the list of plugins: {scope.access.user or 'anonymous'} may not read it (Overall/SystemRead)"
        )
    for key, error in sorted(saved.failures.items()):
        out.print(f"✘ {key}: not saved, and an earlier copy stays: {error}")
    exit_with_worst(saved.failures.values())
