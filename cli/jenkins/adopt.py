"""``qalab jenkins adopt``: take existing jobs under management."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import click

from cli.jenkins.scope_options import ServerOptions, exclude_option, recursive_option, server_options
from cli.output import exit_with_worst, out
from generator.adopt import adopt, adoptable
from generator.scope import JobsOptions, scope_of


@click.command("adopt")
@click.argument("names", nargs=-1, metavar="JOB...")
@click.option("--path", help="Jenkins Job Builder YAML, as for plan; default: jobs/ next to lab.yaml.")
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Take all described jobs and views that exist and have no owner, or that of --from.",
)
@click.option("--from", "previous", metavar="LAB", help="Take the jobs over from this lab.")
@server_options
@recursive_option
@exclude_option
def command(
    *,
    names: Sequence[str],
    every: bool,
    previous: str | None,
    path: str | None,
    recursive: bool,
    excludes: tuple[str, ...],
    **options: Unpack[ServerOptions],
) -> None:
    """Take existing jobs under management.

    Only the mark in the description is written; nothing else changes.
    """
    if bool(names) == every:
        raise click.UsageError("Name the jobs, or pass --all.")
    scope = scope_of(**options, jobs=JobsOptions(path, (), recursive, excludes))
    chosen = adoptable(scope.server, scope.items, previous) if every else names
    results = adopt(scope.server, scope.owner, scope.items, chosen, previous)
    for one in results:
        if one.error:
            out.print(f"✘ {one.key}: not adopted: {one.error}")
        else:
            out.print(f"{one.key}: now owned by {scope.owner}; see what would change: qalab jenkins plan")
    if not results:
        out.print(f"{scope.server.url}: nothing to adopt")
    exit_with_worst([one.error for one in results])
