"""``qalab jenkins restore``: put a backup back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import click

from cli.jenkins.scope_options import ServerOptions, server_options, tell_kept
from cli.options import confirm, yes_option
from cli.output import exit_with_worst, print_lines
from generator import backup, presentation
from generator.scope import scope_of


@click.command("restore")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("names", nargs=-1)
@yes_option
@server_options
def command(*, directory: Path, names: Sequence[str], yes: bool, **options: Unpack[ServerOptions]) -> None:
    """Restore a backup, or the named items of it, and verify each item.

    Before an item is overwritten, its config.xml is kept.  An item that another lab manages meanwhile stays.
    """
    scope = scope_of(**options)
    source = backup.Backup(directory.resolve(), scope.author)
    confirm(f"restore {', '.join(names) or 'everything'} from {directory} to {scope.server.url}", yes=yes)
    kept = scope.kept_by_restore
    with kept.held():
        try:
            results = backup.restore(scope.server, source, kept.write, names, owner=scope.owner)
        finally:
            commit = kept.commit(f"Before: restore on {scope.server.url}")
    print_lines(presentation.restored(results))
    tell_kept(kept, commit)
    exit_with_worst([result.error for result in results])
