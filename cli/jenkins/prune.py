"""``qalab jenkins prune``: delete jobs that are no longer in the configuration."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import click

from cli.jenkins.scope_options import (
    ScopeOptions,
    carry_out,
    chosen_scope,
    confirmed_renames,
    rate_option,
    rename_option,
    scope_options,
    workers_option,
)
from cli.options import dry_run_option, yes_option
from cli.output import print_lines
from generator import limits, presentation


@click.command("prune")
@scope_options
@rename_option
@yes_option
@dry_run_option
@workers_option
@rate_option
@click.option(
    "--max-delete",
    type=click.IntRange(0),
    metavar="N",
    help=f"Refuse to delete more than N items.  [default: {limits.MOST}, and at most half of the lab's items]",
)
@click.option("--delete-all", is_flag=True, help="Delete all items of the lab if the configuration is empty.")
def command(
    *,
    renames: Sequence[str],
    yes: bool,
    dry_run: bool,
    workers: int,
    rate: int | None,
    max_delete: int | None,
    delete_all: bool,
    **options: Unpack[ScopeOptions],
) -> None:
    """Delete jobs and views that are no longer in the configuration.

    Only items of this lab are deleted; items that were perhaps renamed stay until you confirm the new name, or apply
    creates it.  Each config.xml is kept; builds are not.
    """
    scope = replace(chosen_scope(rate, **options), may_be_empty=delete_all)
    plan = scope.plan(renames, quick=True)
    if not (yes or dry_run) and (more := confirmed_renames(plan)):
        plan = scope.plan([*renames, *more], quick=True)
    plan = plan.without_guesses()
    steps = plan.of("rename", "delete", "unreadable")
    lines = [*presentation.steps(steps), *presentation.guesses(plan)]
    print_lines(lines or [f"{scope.server.url}: nothing to delete"])
    if dry_run:
        sys.exit(plan.exit_code)
    if scope.items or max_delete is not None:  # else --delete-all
        limits.check(plan, max_delete)
    carry_out(scope, steps, yes=yes, workers=workers)
