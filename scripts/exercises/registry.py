"""The exercises: add a module and name it here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from scripts.exercises import command, ec2, floating_ip, image_bundle, installed, instance, stability, token, volume
from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene


class Exercise(Protocol):
    """A module that tries out one kind of service."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The name that it has in ``exercises`` of lab.yaml, and the suite of its cases."""

    @property
    def NEEDS(self) -> Sequence[str]:  # noqa: N802 - a module's constant
        """The roles without which it cannot run."""

    @property
    def CASES(self) -> Sequence[str]:  # noqa: N802 - a module's constant
        """The names of its cases in their order, as far as they do not depend on the deployment."""

    def exercise(self, scene: Scene, cases: Cases) -> None:
        """Run the cases one after the other, and clean up for any outcome."""


MODULES: Sequence[Exercise] = [installed, command, token, image_bundle, instance, floating_ip, volume, ec2, stability]
EXERCISES: Mapping[str, Exercise] = {module.NAME: module for module in MODULES}
# Exercises of every deployment: before those that lab.yaml names, and after them.
FIRST = ("installed", "command")
LAST = ("stability",)
