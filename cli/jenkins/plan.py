"""``qalab jenkins plan``: show what apply and prune would do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import click

from cli.jenkins.scope_options import ScopeOptions, chosen_scope, rename_option, replace_option, scope_options
from cli.output import print_lines
from generator import presentation
from lab.config.options import json_option


@click.command("plan")
@scope_options
@rename_option
@replace_option
@click.option("--quick", is_flag=True, help="Compare only the marks: two requests, but edits by hand are not detected.")
@click.option("--check", is_flag=True, help="Exit with 1 if there are differences.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save the plan, for: qalab jenkins apply FILE.",
)
@json_option
def command(
    *,
    renames: Sequence[str],
    replaced: Sequence[str],
    quick: bool,
    check: bool,
    output: Path | None,
    as_json: bool,
    **options: Unpack[ScopeOptions],
) -> None:
    """Show what would be created, changed, renamed and deleted on the Jenkins.

    Edits made by hand in the web UI are shown as well.  A job that cannot be read is one line, the exit code is 2 (its
    description) or 3 (its config.xml on the Jenkins), and the plan has the other jobs.

    PATH: a file or directory of Jenkins Job Builder YAML, several as A:B, or - for standard input; default: jobs/ next to
    lab.yaml.  NAMES: patterns of the names of the jobs and views to show.
    """
    plan = chosen_scope(**options).plan(renames, replaced, quick=quick)
    if output:
        plan.save(output)
    if as_json:
        click.echo(plan.as_json())
    else:
        print_lines(presentation.plan(plan))
    sys.exit(plan.exit_code or (1 if check and not plan.empty else 0))
