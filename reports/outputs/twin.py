"""Twins: what the public Jenkins has of builds, and how a kind of receiver job is spoken to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lab.jenkins import Connection
from reports.outputs.delivery import Context, Item, Outcome


@dataclass(frozen=True)
class Twin:
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

    def send(self, connection: Connection, job: str, item: Item, context: Context) -> None: ...

    def settle(self, connection: Connection, job: str, item: Item, twin: Twin, context: Context) -> Outcome:
        """A twin that has ended: name it, and look whether it is as it should be."""
