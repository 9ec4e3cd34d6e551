"""``qalab step``: run one step, as a Jenkins job does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import click

from cli.groups import nearest
from lab.config import loading
from lab.store import step_command
from lab.store.run_directory import run_at
from reports import junit
from scripts.handover import jenkins_results
from scripts.promotion import phase_results
from scripts.registry import STEPS


class StepGroup(click.Group):
    """All steps; the command of a step is built when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - all of them, whatever the context
        return [*STEPS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in STEPS:
            near = nearest(cmd_name, [*STEPS])
            hint = f"; did you mean {near}?" if near else ""
            raise click.UsageError(f"no step {cmd_name}; known: {', '.join(STEPS)}{hint}", ctx)
        module = STEPS[cmd_name]
        built = step_command.command(cmd_name, module.action, module.__doc__)
        assert built.callback  # noqa: S101 - `lab.store.step_command.command` gives it one
        built.callback = partial(run_step, built.callback)
        return built


def run_step(action: Callable[..., int], **options: Any) -> NoReturn:
    """Run a step, write the results of its run, and exit with the step's exit code."""
    code = action(**options)
    # After each step, because a Jenkins job ends with the first step that fails.
    if current := run_at(options["run"].resolve()):
        junit.write(current)
        lab = loading.load(options["lab_file"])
        phase_results.note(lab, current)
        jenkins_results.keep(lab, current)
    sys.exit(code)


command = StepGroup(
    "step",
    subcommand_metavar="NAME [OPTIONS]",
    help="Run one step in a run directory, as a Jenkins job does.\n\n"
    "--track and --component turn a plain directory into a run directory.",
)
