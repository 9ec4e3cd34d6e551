"""The architectures that this machine builds a source package for: its own, and others by cross-building.

The build for the machine's own architecture also makes the packages for all architectures.  A cross build has the
profiles ``cross`` and ``nocheck``, as sbuild's own: programs of another architecture do not run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lab.base.debian import covers
from lab.config.components import BuildSettings
from lab.config.description import Series

CROSS_PROFILES: Final = ("cross", "nocheck")


@dataclass(frozen=True)
class BuildTarget:
    """An architecture to build for, on a machine of the same or another one."""

    architecture: str
    machine: str

    @property
    def cross(self) -> bool:
        return self.architecture != self.machine

    @property
    def host(self) -> str:
        """The architecture that apt is to resolve for, where it is not the machine's; else empty."""
        return self.architecture if self.cross else ""

    @property
    def toolchain(self) -> tuple[str, ...]:
        """The build dependencies of each cross build: those that sbuild adds (Sbuild/Build.pm)."""
        if not self.cross:
            return ()
        return (f"crossbuild-essential-{self.architecture}:native", "libc-dev", "libstdc++-dev")

    def settings(self, build: BuildSettings) -> BuildSettings:
        """Return a component's settings with the profiles and the option of a cross build."""
        if not self.cross:
            return build
        profiles = tuple(dict.fromkeys((*build.profiles, *CROSS_PROFILES)))
        options = tuple(dict.fromkeys((*build.options, "nocheck")))
        return build.model_copy(update={"profiles": profiles, "options": options})


def build_targets(series: Series, build: BuildSettings, field: str, machine: str) -> list[BuildTarget]:
    """Return the targets of a source package by its field Architecture, that of the machine first; maybe none.

    ``all`` alone is built once, for the machine.
    """
    specific = " ".join(name for name in field.split() if name != "all")
    others = [name for name in series.architectures if name != machine] if build.cross else []
    native = [machine] if machine in series.architectures and covers(field, machine) else []
    return [BuildTarget(name, machine) for name in (*native, *(each for each in others if covers(specific, each)))]


def not_built(series: Series, build: BuildSettings, machine: str) -> Sequence[str]:
    """Return the architectures of a series that a machine does not build a component for."""
    return [name for name in series.architectures if name != machine and not build.cross]
