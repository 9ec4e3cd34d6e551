"""What `lab.yaml` says of results: who is told, and what may become public."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from lab.config.types import (
    Address,
    HostName,
    Identity,
    Label,
    Login,
    Pattern,
    PlainPath,
    SettingsModel,
    SMTPServer,
    Text,
    WebURL,
)


class Mail(SettingsModel):
    """Mail when something breaks, stays broken, is fixed, or has its first result."""

    to: tuple[Address, ...] = Field((), description="Who gets it; default: the lab's maintainer.")
    upstream_authors: bool = Field(
        False, description="Also those who wrote the commits that came between the last good build and the first bad."
    )
    sender: Identity | None = Field(None, description="Whom it is from; default: the lab's maintainer.")
    server: SMTPServer = Field(
        "smtp://localhost",
        description="smtp://HOST[:PORT], where TLS is begun with STARTTLS: always with a login, else where it is offered; "
        "or smtps://HOST[:PORT].",
    )
    credentials: Text = Field(
        "env", description="env (QALAB_SMTP_USER, _PASSWORD; none: no login), ini:PATH, or keyring:SERVICE."
    )
    remind_days: int = Field(7, ge=1, description="What is still broken is told again after so many days.")
    most_per_hour: int = Field(20, ge=1, description="Beyond so many mails an hour, one mail tells of all the rest.")


class Gerrit(SettingsModel):
    """Votes and comments on changes under review."""

    url: WebURL
    label: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = Field(
        "Verified", description="The label that is voted on."
    )
    credentials: Text = Field(
        "env", description="env (QALAB_GERRIT_USER, _PASSWORD: of HTTP), ini:PATH, or keyring:SERVICE."
    )
    ssh: Login | None = Field(
        None, description="USER@HOST[:PORT]: by SSH instead, with the keys of the user who publishes."
    )


def _gerrit(said: Any) -> Any:
    return {"url": said} if isinstance(said, str) else said


class Webhook(SettingsModel):
    """A JSON POST for each build, signed."""

    url: WebURL
    secret: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")] = Field(
        "QALAB_WEBHOOK_SECRET", description="The environment variable that holds the key of its HMAC."
    )


class Notifications(SettingsModel):
    """Who is told."""

    mail: Mail | None = None
    gerrit: Annotated[Gerrit, BeforeValidator(_gerrit, json_schema_input_type=Gerrit | str)] | None = Field(
        None, description="The Gerrit that gets votes and comments, or its URL alone."
    )
    webhook: Webhook | None = None


class KnownSecret(SettingsModel):
    """A secret that must not be published, in whatever form; where it is to be found, never itself."""

    name: Label
    env: Text | None = Field(None, description="The environment variable that holds it.")
    file: PlainPath | None = Field(None, description="The file that holds it; each of its lines counts.")

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            message = "say where the secret is: env: NAME OF A VARIABLE, or file: /PATH"
            raise ValueError(message)
        return self


class HiddenPattern(SettingsModel):
    """What else must not be published."""

    name: Label
    pattern: Pattern = Field(
        description="Regular expression, asked line by line; its group named value is hidden, else all of it."
    )
    words: tuple[Text, ...] = Field(
        (), description="Literals; lines with none of them are not looked at, which is fast. Default: every line."
    )


class LogLimits(SettingsModel):
    """How much of a log is published, in bytes."""

    first: int = Field(1_000_000, ge=0)
    last: int = Field(4_000_000, ge=0)
    line: int = Field(8_192, ge=80, le=65_536)


class Publish(SettingsModel):
    """What may become public.  What is on no list here is not published."""

    jobs: tuple[Text, ...] = Field((), description="Patterns (as of a shell) of TRACK/COMPONENT/PHASE, or of a job.")
    parameters: tuple[Text, ...] = Field((), description="Names of a build's parameters, or patterns of them.")
    artifacts: tuple[Text, ...] = Field(
        ("*.buildinfo", "*.changes", "*.dsc"),
        description="Patterns of files that are published whole, redacted; of all others only name, size and digest.",
    )
    secrets: tuple[KnownSecret, ...] = ()
    patterns: tuple[HiddenPattern, ...] = ()
    hosts: tuple[HostName, ...] = Field((), description="Names of private machines.")
    domains: tuple[HostName, ...] = Field((), description="Domains all of whose names are private.")
    emails: Literal["hide", "show"] = Field("hide", description="What stands before the @ of an address.")
    logs: LogLimits = LogLimits()
    timeout_minutes: int = Field(10, ge=1, description="A build that takes longer to redact is held back.")
