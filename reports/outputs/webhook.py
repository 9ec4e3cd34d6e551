"""A JSON POST for each build, signed, for whatever else wants to know.

``X-QALab-Signature: sha256=HEX`` is the HMAC of the body; ``X-QALab-Delivery`` is the build's short name, the same
when an answer was lost and the POST comes again.  Any 2xx is an answer that it was taken.
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
TAKEN: Final = ("lab", "track", "component", "series", "architecture", "phase", "origin", "job", "number", "commit",
                "version", "verdict", "step", "message", "started", "finished", "seconds")  # fmt: skip


@dataclass(frozen=True)
class WebhookOutput:
    """Where to POST, and the key."""

    context: OutputContext
    webhook: Webhook
    key: bytes = field(repr=False)
    is_ordered: ClassVar[bool] = False  # each tells when its build began

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.context.home / "webhook")

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]:
        return one_by_one(items, self._tell)

    def _tell(self, item: PendingDelivery) -> DeliveryOutcome:
        if not self.outbox.is_sent(item.name):
            path = self.outbox.home / "waiting" / item.name
            if not path.exists():
                self.outbox.put(item.name, self.body(item))
            self._post(path)
            self.outbox.sent(path, [item.name], self.context.clock.now())
        return DeliveryOutcome(item.name, "delivered")

    def body(self, item: PendingDelivery) -> bytes:
        build = item.read().build
        told = {
            "schema": 1,
            "id": item.name,
            "bundle": item.path.name.partition(".")[0],
            "url": self.context.link(build),
            **build.model_dump(include=set(TAKEN)),
            "failing": [case.id for case in build.cases if case.outcome in {"failed", "error"}],
        }
        return json.dumps(told, sort_keys=True).encode()

    def _post(self, path: Path) -> None:
        """Send what is at ``path``; raises Refused, NotNow, or for the whole receiver another LabError."""
        body = path.read_bytes()
        signature = hmac.new(self.key, body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-QALab-Delivery": path.name,
            "X-QALab-Signature": f"sha256={signature}",
        }
        url = self.webhook.url
        answer = web.send("POST", url, url, SETTING, data=body, headers=headers)
        said = f"{url}: answers {answer.status_code} {answer.reason}"
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise ConfigurationError(said, hint=f"does it have the key in {self.webhook.secret}?")
        web.check(answer.status_code, said)

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """What was told is out of reach; what waits is not told."""
        for one in gone:
            (self.outbox.home / "waiting" / one.name).unlink(missing_ok=True)


def open_output(context: OutputContext) -> Output | None:
    webhook = context.lab.notifications.webhook
    if webhook is None:
        return None
    key = environment.variable(webhook.secret)
    if key is None:
        where = f"{context.lab.file}: notifications.webhook.secret"
        raise ConfigurationError(f"{where}: the variable {webhook.secret} is not set")
    return WebhookOutput(context, webhook, key.encode("utf-8", "surrogateescape"))
