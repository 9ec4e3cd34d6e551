"""A signed JSON POST for each build.

``X-QALab-Signature: sha256=HEX`` is the HMAC of the body; ``X-QALab-Delivery`` is the build's short name, the same
if the POST is repeated after a lost answer.  Any 2xx status accepts the delivery.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar, Final

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.publication import Webhook
from lab.results.history import of_verdict
from reports.outputs import web
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
FIELDS: Final = ("lab", "track", "component", "series", "architecture", "phase", "origin", "job", "number", "commit",
                "version", "verdict", "step", "message", "started", "finished", "seconds")  # fmt: skip


@dataclass(frozen=True)
class WebhookOutput:
    """The webhook of a lab, and its key."""

    context: OutputContext
    webhook: Webhook
    key: bytes = field(repr=False)
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
            self._post(path)
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
            "failing": [case.id for case in build.tests if case.outcome in {"failed", "error"}],
            "failing_steps": [step.step for step in build.steps if of_verdict(step.verdict) == "bad"],
        }
        return json.dumps(content, sort_keys=True).encode()

    def _post(self, path: Path) -> None:
        """Send the message at ``path``.  Raises Refused, NotNow, or another LabError that concerns the whole receiver."""
        body = path.read_bytes()
        signature = hmac.new(self.key, body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-QALab-Delivery": path.name,
            "X-QALab-Signature": f"sha256={signature}",
        }
        url = self.webhook.url
        answer = web.send("POST", url, url, SETTING, data=body, headers=headers)
        message = f"{url}: answers {answer.status} {answer.reason}"
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise ConfigurationError(message, hint=f"does it have the key in {self.webhook.secret}?")
        web.check(answer, message, self.context.clock.now())

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Discard the waiting messages of these builds; sent messages stay."""
        for tombstone in gone:
            (self.outbox.home / "waiting" / tombstone.name).unlink(missing_ok=True)


def open_output(context: OutputContext) -> Output | None:
    webhook = context.lab.notifications.webhook
    if webhook is None:
        return None
    key = environment.variable(webhook.secret)
    if key is None:
        where = f"{context.lab.file}: notifications.webhook.secret"
        raise ConfigurationError(f"{where}: the variable {webhook.secret} is not set")
    return WebhookOutput(context, webhook, key.encode("utf-8", "surrogateescape"))
