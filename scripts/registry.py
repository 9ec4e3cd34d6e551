"""The steps: add a module, name it here and in `lab.config.description.PHASES`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lab.store.step import StepContext, StepOutcome
from scripts import (
    archive,
    changelog,
    configure,
    content,
    deploy,
    exercise,
    lintian,
    packaging,
    push,
    reset,
    sbuild,
    snapshot,
    source,
    tempest,
    upload,
)


class Step(Protocol):
    """A module that does one thing in a run directory."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The name in ``qalab step NAME``, and of the record."""

    def action(self, context: StepContext) -> StepOutcome:
        """Do it.  Raises a `lab.base.errors.LabError`."""

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the step as a program; return its exit code."""


MODULES: Sequence[Step] = [
    snapshot,
    packaging,
    changelog,
    source,
    sbuild,
    lintian,
    content,
    archive,
    upload,
    push,
    deploy,
    configure,
    exercise,
    tempest,
    reset,
]
STEPS: Mapping[str, Step] = {module.NAME: module for module in MODULES}
