"""reset: restore the target to its pristine state.

An environment of containers is removed completely.

Facts: ``environment``.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
from scripts.deployment import environments

NAME = "reset"


def action(context: StepContext) -> StepOutcome:
    with environments.exclusive_turn(context.lab, context.track_name):
        existed = environments.target(context.lab, context.track_name, context.log).destroy()
    return StepOutcome("pristine again" if existed else "there was nothing", facts={"environment": context.track_name})


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
