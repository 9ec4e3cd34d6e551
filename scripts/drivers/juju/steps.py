"""The steps after the deployment of a bundle: commands of the lab, and vault's own."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, TimedOut, run
from lab.config.juju import JujuStepChoice
from scripts.drivers.juju import vault
from scripts.drivers.juju.client import JujuModel

MINUTE_SECONDS = 60.0


def carry_out(steps: Sequence[JujuStepChoice], model: JujuModel, home: Path, say: Callable[[str], None]) -> None:
    """Carry out steps in their order; commands start in ``home``.

    Raises InfrastructureError for the first one that fails: what is tested has passed no verdict yet.
    """
    for step in steps:
        if isinstance(step, str):
            say(f"step {step}")
            vault.set_up(model, home)
            continue
        words = shlex.join(step.run)
        say(f"step {words}")
        try:
            run(
                [*step.run],
                log=model.log,
                cwd=home,
                env={"JUJU_MODEL": str(model)},
                timeout=step.timeout_minutes * MINUTE_SECONDS,
            )
        except TimedOut:
            raise InfrastructureError(
                f"deployment.juju.steps: {words}: not done after {step.timeout_minutes} minutes"
            ) from None
        except ProgramFailed as error:
            raise InfrastructureError(f"deployment.juju.steps: {words}: {error.result.complaint}") from None
