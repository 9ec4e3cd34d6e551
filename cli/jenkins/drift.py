"""``qalab jenkins drift``: show edits made by hand, and items that are gone."""

from __future__ import annotations

import sys
from typing import Unpack

import click

from cli.jenkins.scope_options import ScopeOptions, chosen_scope, scope_options
from cli.output import print_lines
from generator import presentation
from lab.config.options import json_option


@click.command("drift")
@scope_options
@click.option("--check", is_flag=True, help="Exit with 1 if there are differences.")
@json_option
def command(*, check: bool, as_json: bool, **options: Unpack[ScopeOptions]) -> None:
    """Show edits by hand on the Jenkins since the last apply, and items that are gone or no longer the lab's."""
    plan = chosen_scope(**options).plan()
    edited, lost = [step for step in plan.steps if step.edited], plan.of("create", "taken", "retype")
    unreadable = plan.of("unreadable")
    if as_json:
        click.echo(presentation.steps_json([*edited, *lost, *unreadable]))
    else:
        lines = [*presentation.drift(edited, lost), *presentation.steps(unreadable), *presentation.unmanaged(plan)]
        print_lines(lines)
    sys.exit(plan.exit_code or (1 if check and (edited or lost) else 0))
