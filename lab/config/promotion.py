"""The settings of automatic promotion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lab.config.types import MOST, Label, Schedule, SettingsModel, Text, beside_lab_file

After = Literal["built", "tested"]


class PromotionSettings(SettingsModel):
    """The automatic promotion of a label of the track, by `qalab promote TRACK`.

    The candidates are the source versions that differ from the state of the label. Those that fulfil the criteria, and
    that leave no package newly uninstallable, become a state of their own. The state is deployed and exercised. If it
    passes, the label names it. If it fails, the lab finds the versions at fault, holds them back, and promotes the rest.
    """

    label: Label = Field("tested", description="The label that moves, one of `labels`.", examples=["tested"])
    criteria: tuple[Label, ...] | None = Field(
        None,
        description="The phases of the track whose runs of a version must have passed before the version is a candidate. "
        "A version that fails where the version in the label fails too is a candidate. Default: the phases of the track "
        "before deploy.",
        examples=[["build"]],
    )
    age_days: int = Field(
        0, ge=0, le=MOST, description="The number of days for which a version must be in the archive of the track."
    )
    hints: Annotated[Text, AfterValidator(beside_lab_file)] | None = Field(
        None,
        description="A file of hints in britney's format, such as `block greet/1.0-1`. A relative path starts at the "
        "directory of lab.yaml. Each hint names a version, and so expires. Default: no hints.",
        examples=["hints"],
    )
    votes: tuple[Label, ...] = Field(
        (),
        description="The names of other CI systems that must vote for a state before the label names it; see "
        "`qalab archive vote`.",
        examples=[["staging"]],
    )
    vote_hours: int = Field(
        24,
        ge=1,
        le=MOST,
        description="The number of hours to wait for votes. Then the state is given up, and the next promotion begins with "
        "the newest candidates.",
    )
    schedule: Schedule = Field(
        "H * * * *", description="Jenkins cron line of the job TRACK-promote; empty: by hand only."
    )
