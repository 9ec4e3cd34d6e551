"""The settings of the phase test: how the packages of a component are tested."""

from __future__ import annotations

from pydantic import Field

from lab.config.types import MOST, SettingsModel


class PackageTests(SettingsModel):
    """The tests of packages, in the phase test."""

    timeout_minutes: int = Field(
        120, ge=1, le=MOST, description="The maximum time of the tests of one step, in minutes."
    )
