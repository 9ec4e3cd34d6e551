"""The registry of steps: to add a step, add a module, name it in `lab.config.description.PHASES`, and here for mypy.

A step's module is imported on first use, because a command needs few of them and all of them need half a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from lab.config.description import PHASES
from lab.store.step import StepContext, StepOutcome

if TYPE_CHECKING:
    from scripts import (
        archive,
        autopkgtest,
        changelog,
        configure,
        content,
        deploy,
        exercise,
        installable,
        lintian,
        packaging,
        piuparts,
        push,
        reset,
        reverse,
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


NAMES = tuple(name for steps in PHASES.values() for name in steps)

if TYPE_CHECKING:  # mypy compares each module with the protocol
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
        installable,
        piuparts,
        autopkgtest,
        reverse,
        deploy,
        configure,
        exercise,
        tempest,
        reset,
    ]


class StepModules(Mapping[str, Step]):
    """The module of each step by name, imported on first use."""

    def __getitem__(self, name: str) -> Step:
        if name not in NAMES:
            raise KeyError(name)
        module: Step = import_module(f"scripts.{name}")
        return module

    def __contains__(self, name: object) -> bool:
        return name in NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


STEPS = StepModules()
