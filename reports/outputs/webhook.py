"""A signed JSON POST for each build, and for each retracted build that was sent.

The headers are those of Standard Webhooks (https://www.standardwebhooks.com): ``webhook-id``, the same if the POST is
repeated after a lost answer; ``webhook-timestamp``, the Unix time of this try; ``webhook-signature``, for each key the
HMAC of ``ID.TIMESTAMP.BODY``, which protects against a replay.  ``X-QALab-Signature: sha256=HEX`` is the HMAC of the
body with the first key, as GitHub sends it, and ``X-QALab-Delivery`` is the build's short name.  Any 2xx status accepts
the delivery.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar, Final

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.publication import Webhook
from lab.forges import web
from lab.results.history import of_verdict
from reports.outcomes import failing
from reports.outputs.delivery import (
    DeliveryOutcome,
    Outbox,
    Output,
    OutputContext,
    PendingDelivery,
    Tombstone,
    one_by_one,
)

SETTING: Final = "notifications.webhook.url"
ENCODED: Final = "whsec_"  # before a key in Base64
FIELDS: Final = ("lab", "track", "component", "series", "architecture", "phase", "origin", "job", "number", "commit",
                "version", "verdict", "step", "message", "started", "finished", "seconds")  # fmt: skip


@dataclass(frozen=True)
class WebhookOutput:
    """The webhook of a lab, and its keys: the current one, and then the former ones."""

    context: OutputContext
    webhook: Webhook
    keys: tuple[bytes, ...] = field(repr=False)
    is_ordered: ClassVar[bool] = False  # each message has the start of its build
    is_news: ClassVar[bool] = False
    is_live: ClassVar[bool] = False

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.context.home / "webhook")

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]:
        return one_by_one(items, self._deliver)

    def _deliver(self, item: PendingDelivery) -> DeliveryOutcome:
        if not self.outbox.is_sent(item.name):
            path = self.outbox.home / "waiting" / item.name
            if not path.exists():
                self.outbox.put(item.name, self.body(item))
            self._post(item.name, path.read_bytes())
            self.outbox.sent(path, [item.name], self.context.clock.now())
        return DeliveryOutcome(item.name, "delivered")

    def body(self, item: PendingDelivery) -> bytes:
        build = item.read().build
        content = {
            "schema": 1,
            "id": item.name,
            "bundle": item.path.name.partition(".")[0],
            "url": self.context.link(build),
            **build.model_dump(include=set(FIELDS)),
            "failing": [case.id for case in failing(build.tests)],
            "failing_steps": [step.step for step in build.steps if of_verdict(step.verdict) == "bad"],
        }
        return json.dumps(content, sort_keys=True).encode()

    def _headers(self, identity: str, body: bytes) -> dict[str, str]:
        stamp = str(int(self.context.clock.now()))
        signed = f"{identity}.{stamp}.".encode() + body
        return {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": stamp,
            "webhook-signature": " ".join(f"v1,{base64.b64encode(_hmac(key, signed)).decode()}" for key in self.keys),
            "X-QALab-Delivery": identity,
            "X-QALab-Signature": f"sha256={_hmac(self.keys[0], body).hex()}",
        }

    def _post(self, identity: str, body: bytes) -> None:
        """Send a message.  Raises Refused, NotNow, or another LabError that concerns the whole receiver."""
        headers = self._headers(identity, body)
        url = self.webhook.url
        answer = web.send("POST", url, url, SETTING, data=body, headers=headers)
        message = f"{url}: answers {answer.status} {answer.reason}"
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise ConfigurationError(message, hint=f"does it have the key in {self.webhook.secret}?")
        if answer.status == HTTPStatus.GONE:
            raise ConfigurationError(message, hint=f"the receiver wants no more: remove {SETTING}")
        web.check(answer, message, self.context.clock.now())

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Discard the waiting messages of these builds, and announce the retraction of those that were sent."""
        for tombstone in gone:
            (self.outbox.home / "waiting" / tombstone.name).unlink(missing_ok=True)
            if self.outbox.is_sent(tombstone.name):
                body = json.dumps({"schema": 1, "retracted": tombstone.name}, sort_keys=True)
                self._post(f"{tombstone.name}-retracted", body.encode())


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def key_of(variable: str) -> bytes:
    """Return the key in an environment variable.  Raises ConfigurationError for a missing and a bad one."""
    secret = (environment.variable(variable) or "").strip()
    if not secret:
        raise ConfigurationError(f"the variable {variable} is not set")
    if not secret.startswith(ENCODED):
        return secret.encode("utf-8", "surrogateescape")
    try:
        key = base64.b64decode(secret.removeprefix(ENCODED), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ConfigurationError(f"the variable {variable}: what follows {ENCODED} is not Base64")
    return key


def open_output(context: OutputContext) -> Output | None:
    webhook = context.lab.notifications.webhook
    if webhook is None:
        return None
    try:
        keys = tuple(key_of(variable) for variable in (webhook.secret, *webhook.former_secrets))
    except ConfigurationError as error:
        raise ConfigurationError(f"{context.lab.file}: notifications.webhook: {error}") from None
    return WebhookOutput(context, webhook, keys)
