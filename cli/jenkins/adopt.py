"""``qalab jenkins adopt``: take existing jobs under management."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import click

from cli.jenkins.scope_options import ScopeOptions, scope_options
from cli.output import out
from generator.adopt import adopt
from generator.scope import scope_of


@click.command("adopt")
@click.argument("names", nargs=-1, required=True, metavar="JOB...")
@click.option(
    "--path", type=click.Path(path_type=Path), help="Jenkins Job Builder YAML; default: jobs/ next to lab.yaml."
)
@click.option("--from", "previous", metavar="LAB", help="Take the jobs over from this lab.")
@scope_options
def command(*, names: Sequence[str], previous: str | None, **options: Unpack[ScopeOptions]) -> None:
    """Take existing jobs under management.

    Only the mark in the description is written; nothing else changes.
    """
    scope = scope_of(**options)
    for key in adopt(scope.server, scope.owner, scope.items, names, previous):
        out.print(f"{key}: now owned by {scope.owner}; see what would change: qalab jenkins plan")
