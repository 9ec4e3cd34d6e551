"""The directory of a lab's publications, and the context of its outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

from pydantic import TypeAdapter

from lab.base import files
from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.forges.proposals import ProposalId
from lab.results.component_graph import ComponentGraph
from lab.store.runs import Store
from reports import bundle
from reports import journal as journals
from reports.activity import LabActivity
from reports.bisections import Bisections, PublicBisection
from reports.bundle import BadBundle
from reports.journal import Journal
from reports.journal_entries import JournalEntry
from reports.lab_view import LabView
from reports.machines import Machines, PublicMachine
from reports.outputs.delivery import OutputContext, PendingDelivery, PublisherClock, Tombstone
from reports.promotions import Promotions, TrackPromotion

SUFFIX: Final = ".tar.gz"
T = TypeVar("T")
Graphs = Callable[[], Mapping[str, ComponentGraph]]


@dataclass(frozen=True)
class Noted(Generic[T]):
    """What a pass has noted of the lab in a file, as it is public; ``kind``: of a tuple."""

    path: Path
    kind: TypeAdapter[tuple[T, ...]]

    def read(self) -> tuple[T, ...]:
        try:
            return self.kind.validate_json(self.path.read_bytes())
        except (OSError, ValueError):  # no pass has written it yet, or it is damaged: the next pass writes it
            return ()

    def write(self, found: tuple[T, ...]) -> None:
        """Write it down, unless it is no news."""
        if found != self.read():
            files.write_atomic(self.path, self.kind.dump_json(found), 0o600)


@dataclass(frozen=True)
class PublicationHome:
    """The places of a lab's publications, below its store."""

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
    def activity(self) -> Path:
        """What waited and ran when the lab's Jenkins was asked last, as it is public."""
        return self.store.root / "activity.json"

    def read_activity(self) -> LabActivity | None:
        try:
            return LabActivity.model_validate_json(self.activity.read_bytes())
        except (OSError, ValueError):  # there is none yet, or it is damaged: the next pass writes it
            return None

    def write_activity(self, found: LabActivity) -> None:
        """Write down what waits and runs, unless it is no news."""
        if found.replaces(self.read_activity()):
            files.write_atomic(self.activity, found.model_dump_json(), 0o600)

    @property
    def promotions(self) -> Noted[TrackPromotion]:
        """What was not promoted."""
        return Noted(self.store.root / "promotions.json", TypeAdapter(Promotions))

    @property
    def bisections(self) -> Noted[PublicBisection]:
        """The answers of bisections."""
        return Noted(self.store.root / "bisections.json", TypeAdapter(Bisections))

    @property
    def machines(self) -> Noted[PublicMachine]:
        """The bare machines."""
        return Noted(self.store.root / "machines.json", TypeAdapter(Machines))

    def view(self, graphs: Mapping[str, ComponentGraph]) -> LabView:
        """Return what the site shows of the lab, as the last pass has left it."""
        return LabView(self.read_activity(), graphs, self.promotions.read(), self.machines.read())

    @property
    def outputs(self) -> Path:
        """The directory for the outputs' own files."""
        return self.store.root / "outputs"

    def spool(self, source: str = "") -> Path:
        """Return the directory for the unredacted files of a build, until its bundle is written."""
        return self.store.root / "spool" / (hashlib.sha256(source.encode()).hexdigest()[:20] if source else "")

    def bundle(self, digest: str) -> Path:
        return bundle.shelf(self.bundles, digest) / f"{digest}{SUFFIX}"

    def item(self, entry: JournalEntry) -> PendingDelivery:
        return PendingDelivery(entry.name, self.bundle(entry.bundle), entry.lane)

    def proposal_of(self, entry: JournalEntry) -> ProposalId | None:
        """Return the head under review that a build is about; None for a build without a readable bundle too."""
        try:
            return self.item(entry).read().build.proposal if entry.bundle else None
        except (BadBundle, OSError):
            return None

    def tombstone(self, name: str) -> Path:
        return self.store.root / "retracted" / f"{name}.json"

    def tombstones(self) -> list[Tombstone]:
        return [Tombstone.read(path) for path in sorted((self.store.root / "retracted").glob("*.json"))]

    @contextmanager
    def locked(self, *, wait: bool = False) -> Iterator[None]:
        """Hold the publisher's lock.  Raises InfrastructureError if another process has it, unless ``wait`` is set."""
        try:
            with files.locked(self.store.lock_path("publish"), wait=wait):
                yield
        except files.Busy:
            raise InfrastructureError(
                "another process is publishing this lab", hint="see: qalab publish --status"
            ) from None


def context(  # noqa: PLR0913, PLR0917 - the parts of a publisher
    lab: Lab, base: Path, place: PublicationHome, journal: Journal, timepiece: PublisherClock, graphs: Graphs = dict
) -> OutputContext:
    """Return the context of the outputs of a lab."""

    def find(name: str) -> PendingDelivery | None:
        entry = journal.builds.named(name)
        return place.item(entry) if entry and entry.state == "bundled" else None

    return OutputContext(
        lab=lab,
        base=base,
        home=place.outputs,
        site=place.site,
        view=lambda: place.view(graphs()),
        bisections=place.bisections.read,
        published=lambda: [place.item(entry) for entry in journal.builds.published()],
        history=journal.builds.lane,
        verdicts=journal.builds.verdicts,
        of_proposal=journal.builds.of_proposal,
        find=find,
        authors=journal.builds.authors,
        clock=timepiece,
    )


@contextmanager
def opened(lab: Lab, *, wait: bool = False) -> Iterator[tuple[PublicationHome, Journal]]:
    """Open the publications of a lab and its journal, and hold the publisher's lock."""
    place = PublicationHome(Store.of(lab))
    with place.locked(wait=wait), journals.opened(place.journal) as base:
        yield place, base


def clock(moment: float) -> str:
    """Return a moment (Unix time) in readable form."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%MZ}"
