"""The settings of the lab itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lab.config.types import Identity, Label, SettingsModel, Text, beside_lab_file


class About(SettingsModel):
    """The lab itself."""

    name: Label = Field(
        description="The name of the lab. It marks every job, archive and record of the lab.", examples=["mylab"]
    )
    maintainer: Identity = Field(
        description="The author of changelog entries and commits of the lab.", examples=["My Lab <lab@example.org>"]
    )
    description: str = Field("", description="One line about the lab, for people.")
    known_failures: Annotated[Text, AfterValidator(beside_lab_file)] | None = Field(
        None,
        description="A file of [known failures](../how-to/testing.md#known-failures), for tests of all kinds. A relative path "
        "starts at the directory of lab.yaml. Default: none.",
        examples=["known-failures.yaml"],
    )
