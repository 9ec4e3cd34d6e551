"""``qalab jenkins apply``: bring the Jenkins in line with the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import click

from cli.jenkins.scope_options import (
    ScopeOptions,
    carry_out,
    chosen_scope,
    confirmed_renames,
    rate_option,
    rename_option,
    replace_option,
    scope_options,
    workers_option,
)
from cli.options import yes_option
from cli.output import print_lines
from generator import apply, presentation
from generator.steps import Plan


@click.command("apply")
@scope_options
@rename_option
@replace_option
@yes_option
@workers_option
@rate_option
def command(
    *,
    renames: Sequence[str],
    replaced: Sequence[str],
    yes: bool,
    workers: int,
    rate: int | None,
    **options: Unpack[ScopeOptions],
) -> None:
    """Show the plan, ask for confirmation, and carry it out.

    A job that was perhaps renamed is renamed only if you confirm it, or name it with --rename.

    Jobs that are no longer in the configuration stay; delete them with `qalab jenkins prune`.

    PATH, NAMES: as for plan; or a saved plan (FILE.json), which is refused if it is stale.
    """
    path = options["path"]
    saved = Path(path) if path and path.endswith(".json") else None
    if saved and (options["names"] or renames or replaced):
        raise click.UsageError(
            "A saved plan is applied as a whole: NAMES, --rename and --replace are of the plan command."
        )
    scope = chosen_scope(rate, **(options | {"path": None} if saved else options))
    if saved:
        plan = Plan.read(saved)
        apply.verify(scope.server, plan, scope.owner)
    else:
        plan = scope.plan(renames, replaced)
        if not yes and (more := confirmed_renames(plan)):
            plan = scope.plan([*renames, *more], replaced)
    print_lines(presentation.plan(plan))
    carry_out(scope, [step for step in plan.steps if step.action != "delete"], yes=yes, workers=workers)
