"""A status in the output of ``juju status --format json``: a word, and a message of a charm or a cloud."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lab.base.git import readable
from lab.base.text import CONTROLS, cut_short

MOST_CHARACTERS: Final = 400


class StatusPart(BaseModel):
    """A part of the status; keys that newer versions of Juju add are ignored, and null is a key that is missing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def _on_one_line(text: str) -> str:
    return cut_short(readable(CONTROLS.sub("", text)), MOST_CHARACTERS)


Message = Annotated[str, AfterValidator(_on_one_line)]


class Info(StatusPart):
    """A status: its word, its message, and since when it is so."""

    current: str = ""
    message: Message = ""
    since: str = ""
    status_error: Message = Field("", alias="status-error")
    """Why the controller does not know the status."""

    def __str__(self) -> str:
        return f"{self.current}: {self.message}" if self.message else self.current
