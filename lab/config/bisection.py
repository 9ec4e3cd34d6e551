"""The settings of bisections."""

from __future__ import annotations

from pydantic import Field

from lab.config.types import MOST, Schedule, SettingsModel


class BisectionSettings(SettingsModel):
    """The search for the change that broke a test or a step: `qalab bisect`, `qalab watch --bisect`, and the job TRACK-bisect."""

    jobs: int = Field(1, ge=1, le=64, description="The number of commits that are tested at the same time.")
    per_day: int = Field(
        4,
        ge=0,
        le=MOST,
        description="The number of bisections of a track that start by themselves in 24 hours.",
    )
    job: bool = Field(
        False,
        description="Have a Jenkins job `TRACK-bisect` for each track with the trigger `commit`. It searches by itself, or when "
        "somebody starts it with the ends of the range. It needs a lab without `jenkins.archive_agent`.",
    )
    schedule: Schedule = Field(
        "H/30 * * * *", description="Jenkins cron line of the job TRACK-bisect; empty: by hand only."
    )
    minutes: int = Field(
        25,
        ge=1,
        le=MOST,
        description="The minutes after which that job starts no more tests; its next build continues.",
    )
    mail_author: bool = Field(
        False,
        description="Send the proved result to the author of the commit, and to nobody else. It needs `notifications.mail`.",
    )
