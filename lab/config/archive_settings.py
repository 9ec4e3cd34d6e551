"""The settings of the lab's package archive."""

from __future__ import annotations

from pydantic import Field

from lab.config.types import MOST, SettingsModel, Text, WebURL


class StatesSettings(SettingsModel):
    """The states of the archive, which `qalab archive gc` removes.

    A state is removed if it is not among the last `keep` states of any label **and** it is older than `keep_days`, and no
    label has named it since.
    A state that a label names, that is pinned, that is deployed on this machine or that a run uses is never removed.
    """

    keep: int = Field(
        10, ge=1, le=MOST, description="The number of states of each label that are kept, whatever their age."
    )
    keep_days: int = Field(
        7, ge=1, le=MOST, description="The number of days during which a state is kept, regardless of newer states."
    )


class ArchiveSettings(SettingsModel):
    """The lab's package archive on this machine.

    A version of a source package that no state has is deleted from the pool if it is not among the newest `keep`
    versions, **or** if it is older than `keep_days`, even if fewer than `keep` versions remain. The newest version is
    never deleted.
    """

    signing_key: Text | None = Field(
        None,
        description="The fingerprint of the key that signs the archive and, if this key exists in lab.yaml, source "
        "packages. Default: a key that qalab creates for the lab.",
    )
    gnupg_home: Text | None = Field(
        None, description="The GnuPG home directory of the key. Default: a directory in the lab's own state."
    )
    url: WebURL | None = Field(
        None,
        description="The address of the archive for other machines, if a web server serves it. The driver juju and "
        "`jenkins.archive_agent` need it. Default: none.",
        examples=["https://archive.example.org/lab"],
    )
    keep: int = Field(
        5,
        ge=1,
        le=MOST,
        description="The number of versions of a source package in the pool. A version that no state has is deleted "
        "if it is not among the newest `keep` versions, OR if it is older than `keep_days`. The newest version is never "
        "deleted.",
    )
    keep_days: int = Field(
        30,
        ge=1,
        le=MOST,
        description="The maximum age of a version in the pool, in days. An older version that no state has is deleted, "
        "even if it is among the newest `keep` versions. The newest version is never deleted.",
    )
    states: StatesSettings = Field(StatesSettings(), description="The states of the archive.")
