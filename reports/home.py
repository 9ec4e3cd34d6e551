"""Where a lab keeps what it publishes, and what it needs to know of that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lab.base import files
from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.store.runs import Store
from reports import bundle, journal
from reports.journal import Journal
from reports.journal_entries import JournalEntry
from reports.outputs.delivery import OutputContext, PendingDelivery, PublisherClock, Tombstone

SUFFIX: Final = ".tar.gz"


@dataclass(frozen=True)
class PublicationHome:
    """Where a lab keeps what it publishes, below its store."""

    store: Store

    @property
    def bundles(self) -> Path:
        return self.store.root / "bundles"

    @property
    def journal(self) -> Path:
        return self.store.root / "journal.sqlite"

    @property
    def site(self) -> Path:
        return self.store.root / "site"

    @property
    def outputs(self) -> Path:
        """What outputs keep of their own."""
        return self.store.root / "outputs"

    def spool(self, source: str = "") -> Path:
        """What is fetched of a build until its bundle is made: not redacted."""
        return self.store.root / "spool" / (hashlib.sha256(source.encode()).hexdigest()[:20] if source else "")

    def bundle(self, digest: str) -> Path:
        return bundle.shelf(self.bundles, digest) / f"{digest}{SUFFIX}"

    def item(self, entry: JournalEntry) -> PendingDelivery:
        return PendingDelivery(entry.name, self.bundle(entry.bundle), entry.lane)

    def tombstone(self, name: str) -> Path:
        return self.store.root / "retracted" / f"{name}.json"

    def tombstones(self) -> list[Tombstone]:
        return [Tombstone.read(path) for path in sorted((self.store.root / "retracted").glob("*.json"))]

    @contextmanager
    def held(self, *, wait: bool = False) -> Iterator[None]:
        """Publish; raises InfrastructureError when somebody else does, and that is not waited for."""
        try:
            with files.locked(self.store.lock_path("publish"), wait=wait):
                yield
        except files.Busy:
            raise InfrastructureError(
                "another process publishes this lab", hint="see: qalab publish --status"
            ) from None


def context(lab: Lab, base: Path, place: PublicationHome, told: Journal, timepiece: PublisherClock) -> OutputContext:
    """What the outputs of a lab may know."""

    def find(name: str) -> PendingDelivery | None:
        entry = told.builds.named(name)
        return place.item(entry) if entry and entry.state == "bundled" else None

    return OutputContext(
        lab=lab,
        base=base,
        home=place.outputs,
        site=place.site,
        published=lambda: [place.item(entry) for entry in told.builds.published()],
        history=told.builds.lane,
        find=find,
        authors=told.builds.authors,
        clock=timepiece,
    )


@contextmanager
def opened(lab: Lab, *, wait: bool = False) -> Iterator[tuple[PublicationHome, Journal]]:
    """A lab's place and journal, for whoever holds it."""
    place = PublicationHome(Store.of(lab))
    with place.held(wait=wait), journal.opened(place.journal) as base:
        yield place, base


def clock(moment: float) -> str:
    """A moment (Unix time), for people."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%MZ}"
