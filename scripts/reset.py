"""reset: restore the target to what it was before anything was deployed.

Of an environment of containers, nothing is left.

Facts: ``environment``.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab import step
from lab.step import Context, Outcome
from scripts import environments

NAME = "reset"


def action(context: Context) -> Outcome:
    with environments.turn(context.lab, context.track_name):
        there = environments.target(context.lab, context.track_name, context.log).destroy()
    return Outcome("pristine again" if there else "there was nothing", facts={"environment": context.track_name})


def main(argv: Sequence[str] | None = None) -> int:
    return step.main(NAME, action, argv)
