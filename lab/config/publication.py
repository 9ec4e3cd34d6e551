"""The settings of results: notifications, and the data that can become public."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from lab.config.chats import Chat
from lab.config.forges import CommitStatuses
from lab.config.secret_source import SecretSource
from lab.config.types import (
    MOST,
    Address,
    HostName,
    Identity,
    Label,
    Pattern,
    SettingsModel,
    SMTPServer,
    Text,
    WebURL,
    beside_lab_file,
)


class MailRoute(SettingsModel):
    """The recipients of the mails about some components and tracks."""

    components: tuple[Text, ...] = Field(("*",), description="Names of components, or patterns of names.")
    tracks: tuple[Text, ...] = Field(("*",), description="Names of tracks, or patterns of names.")
    to: tuple[Address, ...] = Field(min_length=1, description="The recipients.", examples=[["nova@example.org"]])


class Mail(SettingsModel):
    """Mails when a test or a step breaks, stays broken, or is fixed, and when the lab itself is ill."""

    to: tuple[Address, ...] = Field(
        (),
        description="The recipients of mails that no route matches. Default: the lab's maintainer.",
        examples=[["qa@example.org"]],
    )
    routes: tuple[MailRoute, ...] = Field(
        (), description="Recipients by component and track. All routes that match a build count."
    )
    upstream_authors: bool = Field(
        False,
        description="Send a copy to the authors of the commits between the last good build and the first bad build, if "
        "nothing else changed between them. The author of the only suspect commit, if told of the breakage, also learns of the fix.",
    )
    sender: Identity | None = Field(
        None,
        description="The sender. Default: the lab's maintainer.",
        examples=["QA Lab <lab@example.org>"],
    )
    server: SMTPServer = Field(
        "smtp://localhost",
        description="The mail server: `smtp://HOST[:PORT]`, with STARTTLS if the server offers it (with a login, STARTTLS "
        "is required), or `smtps://HOST[:PORT]`.",
    )
    credentials: Text = Field(
        "env",
        description="The source of the credentials: `env` (QALAB_SMTP_USER, QALAB_SMTP_PASSWORD; if unset, no login), "
        "`ini:PATH` (section mail), or `keyring:SERVICE`.",
    )
    remind_days: int = Field(
        7, ge=1, le=MOST, description="The number of days between reminders of a persistent breakage."
    )
    history_days: int = Field(
        1,
        ge=1,
        le=MOST,
        description="No mail is sent about a build that ended this many days before it was published, "
        "except about the end of what one was sent about: it is history.",
    )
    alert_errors: int = Field(
        5,
        ge=2,
        le=MOST,
        description="The number of infrastructure errors in a row after which the lab's maintainer gets an alert, once "
        "until each component has a verdict again.",
    )
    most_per_hour: int = Field(
        20,
        ge=1,
        le=MOST,
        description="The maximum number of mails per hour. The last ones are digests of the rest, one for each person.",
    )


Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


class Webhook(SettingsModel):
    """A signed POST request with JSON for each build."""

    url: WebURL = Field(description="The receiver of the requests.", examples=["https://hooks.example.org/qalab"])
    secret: Variable = Field(
        "QALAB_WEBHOOK_SECRET",
        description="The environment variable that contains the key of the HMAC signature: any word, or `whsec_` and Base64.",
    )
    former_secrets: tuple[Variable, ...] = Field(
        (),
        description="The variables with former keys, while receivers change to the new one: each message is signed with all keys.",
    )


class KnownSecret(SecretSource):
    """A secret that must not be published: its source, never the secret itself."""

    name: Label = Field(description="The name of the secret in reports.", examples=["cloud"])


class Notifications(SettingsModel):
    """Messages about results. Each notification is off until its key exists; see [publishing](../how-to/publishing.md)."""

    mail: Mail | None = Field(None, description="Mails about breakages. Default: no mails.")
    webhook: Webhook | None = Field(None, description="The receiver of a request for each build. Default: none.")
    statuses: tuple[CommitStatuses, ...] = Field(
        (),
        description="The forges that get commit statuses. The first one that has the upstream repository of a component "
        "counts. Default: none.",
    )
    chats: tuple[Chat, ...] = Field((), description="The chat rooms that get messages. Default: none.")

    @property
    def credentials(self) -> tuple[KnownSecret, ...]:
        """The tokens that the outputs use, which must not be published."""
        sources = [(f"{forge.forge}-token", forge.secret) for forge in self.statuses]
        sources += [(f"chat-{chat.name}", chat.secret) for chat in self.chats]
        if self.webhook:
            variables = (self.webhook.secret, *self.webhook.former_secrets)
            sources += [("webhook-key", SecretSource(env=name)) for name in variables]
        return tuple(KnownSecret(name=name, env=source.env, file=source.file) for name, source in sources)

    @field_validator("chats")
    @classmethod
    def _check_names(cls, chats: tuple[Chat, ...]) -> tuple[Chat, ...]:
        names = [chat.name for chat in chats]
        if twice := next((name for name in names if names.count(name) > 1), None):
            message = f"two chats have the name {twice}"
            raise ValueError(message)
        return chats


class HiddenPattern(SettingsModel):
    """A pattern of text that must not be published."""

    name: Label = Field(description="The name of the rule in reports.", examples=["ticket"])
    pattern: Pattern = Field(
        description="A regular expression that is matched line by line. The group `value` is hidden, or the whole match if "
        "the group does not exist.",
        examples=["TICKET-(?P<value>[0-9]+)"],
    )
    words: tuple[Text, ...] = Field(
        (),
        description="Literals: the redactor skips lines that contain none of them, which is fast. Default: no line is "
        "skipped.",
        examples=[["ticket-"]],
    )


class LogLimits(SettingsModel):
    """The published part of a log, in bytes."""

    first: int = Field(1_000_000, ge=0, description="The number of bytes to publish from the beginning of a log.")
    last: int = Field(4_000_000, ge=0, description="The number of bytes to publish from the end of a log.")
    line: int = Field(8_192, ge=80, le=65_536, description="The maximum number of bytes of a line.")


class Publish(SettingsModel):
    """The data that can become public.

    Everything that is not listed here stays private: a lab without this section publishes nothing. [The security
    model](../explanation/security.md) lists the data that qalab hides without configuration. A named secret that cannot
    be read is an error, because the redactor cannot search for an unknown secret; see
    [publishing](../how-to/publishing.md) for an example.
    """

    jobs: tuple[Text, ...] = Field(
        (),
        description="Patterns of `TRACK/COMPONENT/PHASE`, or of job names. `*` and `?` match as in a shell, and `*` also "
        "across `/`.",
        examples=[["trunk/*"]],
    )
    parameters: tuple[Text, ...] = Field((), description="Names of build parameters, or patterns of names.")
    artifacts: tuple[Text, ...] = Field(
        ("*.buildinfo", "*.changes", "*.dsc"),
        description="Patterns of files that are published with their redacted content. Other files are published as name, "
        "size and digest.",
    )
    secrets: tuple[KnownSecret, ...] = Field(
        (), description="Known secrets, each with a source.", examples=[[{"name": "cloud", "env": "OS_PASSWORD"}]]
    )
    patterns: tuple[HiddenPattern, ...] = Field((), description="Patterns of further text to hide.")
    rules: tuple[Annotated[Text, AfterValidator(beside_lab_file)], ...] = Field(
        (),
        description="Rule packs: files in the form of gitleaks' configuration (`gitleaks.toml`). A relative path starts at "
        "the directory of the lab file.",
        examples=[["gitleaks.toml"]],
    )
    hosts: tuple[HostName, ...] = Field(
        (), description="Names of private machines, in addition to the host of `jenkins.url` and this machine."
    )
    domains: tuple[HostName, ...] = Field(
        (), description="Domains with only private names.", examples=[["corp.example"]]
    )
    emails: Literal["hide", "show"] = Field(
        "hide", description="What to do with the part of a mail address before the @."
    )
    logs: LogLimits = Field(LogLimits(), description="The published part of a log.")
    timeout_minutes: int = Field(
        10,
        ge=1,
        le=MOST,
        description="The maximum time to redact a build, in minutes. A build that takes longer is not published.",
    )
