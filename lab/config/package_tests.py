"""The settings of the phase test: how the packages of a component are tested."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lab.config.types import MOST, SettingsModel, Text, matching

TestStep = Literal["installable", "piuparts", "autopkgtest", "reverse", "upgrade", "reproducible"]
PIUPARTS_OPTIONS = (
    r"--(?:allow-database|dpkg-force-confdef|install-recommends|no-diversions|no-symlinks|warn-on-[a-z-]+"
    r"|(?:ignore|ignore-regex|fake-essential-packages|extra-old-packages|warn-on-[a-z-]+)=\S+)"
)


class PiupartsException(SettingsModel):
    """An option that makes piuparts accept what it otherwise refuses."""

    option: Annotated[
        Text, matching(PIUPARTS_OPTIONS, "not an exception of piuparts, such as --ignore=/PATH, see piuparts(1)")
    ] = Field(description="An option of piuparts(1).", examples=["--ignore=/var/lib/greet"])
    reason: Text = Field(description="The reason, in one line.")


class UpgradeException(SettingsModel):
    """A package that an upgrade may remove."""

    removes: Text = Field(description="A binary package.", examples=["greet-legacy"])
    reason: Text = Field(description="The reason, in one line.")


class PackageTests(SettingsModel):
    """The tests of packages, in the phase test."""

    steps: tuple[TestStep, ...] = Field(
        ("installable", "piuparts", "autopkgtest", "reverse", "upgrade"),
        description="The steps of the phase that test the component; the others are skipped.",
    )
    piuparts: tuple[PiupartsException, ...] = Field((), description="Exceptions for piuparts, each with its reason.")
    upgrade: tuple[UpgradeException, ...] = Field(
        (),
        description="Packages that an upgrade may remove although no package that it installs replaces them, "
        "each with its reason.",
    )
    reverse: int = Field(
        5,
        ge=0,
        le=MOST,
        description="The maximum number of packages with tests that depend on the component and are tested.",
    )
    timeout_minutes: int = Field(
        120, ge=1, le=MOST, description="The maximum time of the tests of one step, in minutes."
    )
