"""Mirrored builds (twins) of the public Jenkins, and the interface of a kind of receiver job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lab.config.jenkins import Connection
from reports.outputs.delivery import DeliveryOutcome, OutputContext, PendingDelivery


@dataclass(frozen=True)
class MirroredBuild:
    """A build of a receiver job; ``result`` is None while it runs."""

    name: str
    number: int
    result: str | None
    title: str
    description: str


class Receiver(Protocol):
    """The interface of a kind of receiver job: `freestyle` or `external`."""

    TREE: str

    def name(self, build: Mapping[str, Any]) -> str:
        """Return the short name of the build that a build of the job mirrors, "" for none."""

    def send(self, connection: Connection, job: str, item: PendingDelivery, context: OutputContext) -> str:
        """Send a build; return the path of the item in Jenkins' queue, "" if the twin exists already."""

    def stop(self, connection: Connection, job: str, item: PendingDelivery, twin: MirroredBuild) -> None:
        """Stop a running twin that waits for it: the twin of an aborted build."""

    def settle(
        self, connection: Connection, job: str, item: PendingDelivery, twin: MirroredBuild, context: OutputContext
    ) -> DeliveryOutcome:
        """Name a finished twin, and compare its result with the build's verdict."""
