"""The settings of chat rooms."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from lab.config.secret_source import SecretSource
from lab.config.types import MOST, Label, SettingsModel, Text, WebURL


class Chat(SettingsModel):
    """Messages to a chat room when a test or a step breaks, and when it is fixed."""

    name: Label = Field(description="The name of the room in reports.", examples=["qa-room"])
    format: Literal["slack", "hookshot", "matrix"] = Field(
        description="`slack`: an incoming webhook of Slack, or a compatible one (Mattermost, Rocket.Chat); `hookshot`: an "
        "inbound webhook of matrix-hookshot; `matrix`: the API of a Matrix homeserver."
    )
    secret: SecretSource = Field(
        description="The source of the URL of the webhook, which is a secret; of the access token for `matrix`.",
        examples=[{"env": "QALAB_CHAT_URL"}],
    )
    server: WebURL | None = Field(
        None,
        description="The URL of the homeserver, for `matrix` only. Default: none.",
        examples=["https://matrix.example.org/"],
    )
    room: Annotated[str, StringConstraints(pattern=r"^![^\s/]+$")] | None = Field(
        None,
        description="The ID of the room, for `matrix` only; the user of the token must have joined it. Default: none.",
        examples=["!abcdef:example.org"],
    )
    components: tuple[Text, ...] = Field(("*",), description="Names of components, or patterns of names.")
    tracks: tuple[Text, ...] = Field(("*",), description="Names of tracks, or patterns of names.")
    most_per_publish: int = Field(
        1,
        ge=1,
        le=MOST,
        description="The most messages for each publish. Of more changes, the last message is a digest with their number.",
    )
    history_days: int = Field(
        1,
        ge=1,
        le=MOST,
        description="No message is sent about a build that ended this many days before it was published, "
        "except about the end of what one was sent about: it is history.",
    )

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        is_matrix = self.format == "matrix"
        for key, value in (("server", self.server), ("room", self.room)):
            if is_matrix and value is None:
                message = f"format matrix needs {key}"
                raise ValueError(message)
            if value is not None and not is_matrix:
                message = f"{key} belongs to format matrix: the URL of a webhook names the room"
                raise ValueError(message)
        return self
