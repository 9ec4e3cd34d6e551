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
from typing import Final

import requests

from lab import environment
from lab.errors import ConfigurationError, InfrastructureError
from lab.jenkins import innermost
from lab.publication import Webhook
from reports.outputs.delivery import Context, Item, Outbox, Outcome, Output, Tombstone

TIMEOUT_SECONDS: Final = 60.0
TAKEN: Final = ("lab", "track", "component", "series", "architecture", "phase", "origin", "job", "number", "commit",
                "version", "verdict", "step", "message", "started", "finished", "seconds")  # fmt: skip


@dataclass(frozen=True)
class Hook:
    """Where to POST, and the key."""

    context: Context
    webhook: Webhook
    key: bytes = field(repr=False)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.context.home / "webhook")

    def deliver(self, items: Sequence[Item]) -> Iterator[Outcome]:
        for item in items:
            if not self.outbox.is_sent(item.name):
                path = self.outbox.home / "waiting" / item.name
                if not path.exists():
                    self.outbox.put(item.name, self.body(item))
                if refusal := self._post(path):
                    yield Outcome(item.name, "parked", refusal)
                    continue
                self.outbox.sent(path, [item.name], self.context.clock.now())
            yield Outcome(item.name, "delivered")

    def body(self, item: Item) -> bytes:
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

    def _post(self, path: Path) -> str:
        """Why it was refused for ever, "" when it was taken.  Raises InfrastructureError when it may be later."""
        body = path.read_bytes()
        signature = hmac.new(self.key, body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-QALab-Delivery": path.name,
            "X-QALab-Signature": f"sha256={signature}",
        }
        url = self.webhook.url
        try:
            answer = requests.post(url, body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise InfrastructureError(f"{url}: cannot be reached: {innermost(error)}") from None
        if answer.ok and answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return ""
        said = f"{url}: answers {answer.status_code} {answer.reason}"
        later = {
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
        }
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status_code in later:
            raise InfrastructureError(said)
        return said

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """What was told is out of reach; what waits is not told."""
        for one in gone:
            (self.outbox.home / "waiting" / one.name).unlink(missing_ok=True)


def open_output(context: Context) -> Output | None:
    webhook = context.lab.notifications.webhook
    if webhook is None:
        return None
    key = environment.variable(webhook.secret)
    if key is None:
        raise ConfigurationError(f"lab.yaml: notifications.webhook.secret: the variable {webhook.secret} is not set")
    return Hook(context, webhook, key.encode("utf-8", "surrogateescape"))
