"""The settings of run directories."""

from __future__ import annotations

from pydantic import Field

from lab.config.types import MOST, SettingsModel


class RunsSettings(SettingsModel):
    """The runs on this machine, and their directories, which `qalab tidy` cleans.

    A run loses its scratch files, built files and node logs if it is not among the newest `keep` runs **and** it is
    older than `keep_days`. Records, logs of steps and test results stay.
    """

    jobs: int = Field(
        1, ge=1, le=64, description="The number of components that `qalab watch` builds at the same time."
    )
    keep: int = Field(
        5,
        ge=1,
        le=MOST,
        description="The number of runs of a phase, for each component of a track, that keep all their files.",
    )
    keep_days: int = Field(
        30,
        ge=1,
        le=MOST,
        description="The number of days during which a run keeps all its files, regardless of newer runs.",
    )
    keep_chroots: int = Field(
        1,
        ge=0,
        le=MOST,
        description="The number of failed builds whose chroots are kept for `qalab shell`; the newest ones. 0: none, "
        "unless a run has `--keep`.",
    )
    keep_chroot_days: int = Field(3, ge=1, le=MOST, description="The maximum age of a kept chroot, in days.")
    keep_packages_gb: int = Field(
        20,
        ge=0,
        le=MOST,
        description="The size to which a phase's end bounds the packages and indices of mirrors that this machine keeps for apt, in "
        "gigabytes (10^9 bytes); the least recently used ones are removed. 0: nothing stays.",
    )
