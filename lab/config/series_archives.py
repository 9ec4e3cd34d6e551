"""Archives beside the mirror of a series, such as Ubuntu's cloud archive."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lab.config.types import Label, PlainPath, SettingsModel, matching

ArchiveURL = Annotated[str, matching(r"(?:https?|file)://[^\s\[\]]+", "not the URL of an archive: http, https or file")]
Suite = Annotated[
    str, matching(r"[A-Za-z0-9][A-Za-z0-9.~+_/-]*", "not a suite: letters, digits and . ~ + _ - /, without a space")
]


class SeriesArchive(SettingsModel):
    """An archive whose packages belong to a series, with a host, a key and suites of its own."""

    url: ArchiveURL = Field(
        description="The URL of the archive.", examples=["http://ubuntu-cloud.archive.canonical.com/ubuntu"]
    )
    suite: Suite = Field(description="The suite, as in sources.list.", examples=["noble-updates/epoxy"])
    components: tuple[Label, ...] = Field(("main",), min_length=1, description="Archive areas.")
    keyring: PlainPath = Field(
        description="The path of the keyring that signs the archive. qalab copies it into the chroots of the series.",
        examples=["/usr/share/keyrings/ubuntu-cloud-keyring.gpg"],
    )
