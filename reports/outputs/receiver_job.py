"""Twins: what the public Jenkins has of builds, and how a kind of receiver job is spoken to."""

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
    """How one kind of receiver job is spoken to: `freestyle` and `external` are two."""

    TREE: str

    def name(self, build: Mapping[str, Any]) -> str:
        """The short name of the build that a build of the job is the twin of, "" for none."""

    def send(self, connection: Connection, job: str, item: PendingDelivery, context: OutputContext) -> None: ...

    def settle(
        self, connection: Connection, job: str, item: PendingDelivery, twin: MirroredBuild, context: OutputContext
    ) -> DeliveryOutcome:
        """A twin that has ended: name it, and look whether it is as it should be."""
