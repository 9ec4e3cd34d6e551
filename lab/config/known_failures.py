"""Known failures: tests that are expected to fail until a day or a version, each with its reason and its bug.

They are in one file of the lab's repository, for all kinds of tests; lab.yaml names it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from lab.config.description import Lab
from lab.config.loading import read_model
from lab.config.types import Pattern, SettingsModel, Text, WebURL, matching

VERSION: Final = r"(?:\d+:)?\d[A-Za-z0-9.+~-]*"


class KnownFailure(SettingsModel):
    """Tests that are known to fail."""

    test: Text = Field(description="The name of a test, or a pattern of names, as the site shows them.")
    reason: Text = Field(description="Why they fail, in one line.")
    bug: WebURL = Field(description="The page of the bug.")
    message: Pattern | None = Field(
        None, description="A regular expression that is searched in the message of the failure. Default: any message."
    )
    components: tuple[Text, ...] = Field(("*",), description="Names of components, or patterns of names.")
    tracks: tuple[Text, ...] = Field(("*",), description="Names of tracks, or patterns of names.")
    until: date | None = Field(None, description="The last day on which a failure is expected. Default: no such day.")
    # dpkg orders what is no version after all versions, or not at all: that would be no end.
    fixed_in: Annotated[Text, matching(VERSION, "not a version, such as 2:30.0-1, see deb-version(7)")] | None = Field(
        None,
        description="The version of the component from which on no failure is expected, also for tests of other packages. "
        "Default: no such version.",
    )

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.until is None and self.fixed_in is None:
            raise ValueError("has no end: add until (a day), fixed_in (a version), or both")
        return self

    @property
    def why(self) -> str:
        """The reason, with the bug."""
        return f"{self.reason} ({self.bug})"

    @property
    def end(self) -> str:
        """The end, for people."""
        day = f"until {self.until.isoformat()}" if self.until else ""
        return " or ".join(filter(None, [day, f"before {self.fixed_in}" if self.fixed_in else ""]))


class _KnownFailuresFile(SettingsModel):
    known_failures: tuple[KnownFailure, ...] = Field(description="The known failures.")


def read(lab: Lab) -> tuple[KnownFailure, ...]:
    """Return the known failures of a lab.  Raises DescriptionError, which names the file and the line."""
    if lab.lab.known_failures is None:
        return ()
    return read_model(Path(lab.lab.known_failures), _KnownFailuresFile).known_failures
