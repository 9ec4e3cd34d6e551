"""Publishing: from the sources of builds to bundles, and from there to each output, once.

One pass looks for what is new, makes its bundles, and has each output deliver what waits for it.  It may be killed
anywhere: the next one goes on.  What fails, also by a bug of qalab, holds up nothing else: neither another build nor
another output.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Final, Literal

from lab.base import environment
from lab.base.errors import Aborted, ConfigurationError, InfrastructureError, LabError
from lab.base.failures import Bug, caught
from lab.results.build_identity import build_id
from lab.store.records import rfc3339
from reports import bundle
from reports.home import SUFFIX, PublicationHome, clock
from reports.journal import Journal, JournalEntry, Settled
from reports.model import Build, started_ms
from reports.outputs.delivery import DeliveryOutcome, Output, PendingDelivery, Tombstone, one_line
from reports.redact.publication import Files, Publication, allowed
from reports.sources.source import Gone, Source, Trouble

ADDRESS: Final = re.compile(r"[!-?A-~]+@[A-Za-z0-9][A-Za-z0-9.-]*")  # what any mail server takes
MOST_TRIES: Final = 20  # of one delivery that fails alone: some three days


@dataclass
class PublishReport:
    """What a pass did: builds bundled, outcomes for each output; ``errors`` with where they came up."""

    bundled: int = 0
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    errors: list[tuple[str, LabError]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return [f"{where}: {one_line(error)}" for where, error in self.errors]

    @property
    def exit_code(self) -> int:
        return max((error.exit_code for _, error in self.errors), default=0)


@dataclass
class Publisher:
    """A lab's publisher, for as long as its place is held."""

    place: PublicationHome
    journal: Journal
    publication: Publication
    sources: Mapping[str, Source]
    outputs: Mapping[str, Output]
    now: Callable[[], float]
    report: PublishReport = field(default_factory=PublishReport)

    def run(self) -> PublishReport:
        """One pass."""
        self._begin()
        self._make_bundles(self._look())
        for name, output in self.outputs.items():
            outage = self.journal.outage(name)
            if outage and outage.due > self.now():
                self._trouble(name, InfrastructureError(f"put off until {clock(outage.due)}: {outage.note}"))
            else:
                self._use(name, output)
        return self.report

    def _begin(self) -> None:
        self.report = PublishReport()
        if self.journal.is_new:
            self.journal.adopt(self._bundles())
        self._bury()

    def _bury(self) -> None:
        """Nothing is left of what was retracted, also where that was cut short."""
        for stone in self.place.tombstones():
            entry = self.journal.named(stone.name)
            if entry and entry.state == "bundled":
                self.place.bundle(entry.bundle).unlink(missing_ok=True)
                self.journal.advance(entry.source, "retracted")

    def _trouble(self, where: str, error: LabError) -> None:
        if isinstance(error, Aborted):
            raise error
        self.report.errors.append((where, error))

    # Sources

    def _bundles(self) -> Iterator[tuple[Build, str]]:
        """What the store has bundles of: with no journal, that was published as they say."""
        for path in sorted(self.place.bundles.glob(f"??/*{SUFFIX}"), reverse=True):
            try:
                with caught():
                    found = bundle.read(path)
                    started_ms(found.build.started)
            except LabError as error:
                self._trouble("bundles", error)
            else:
                yield found.build, found.digest

    def _look(self) -> set[str]:
        """Note what is new; return the sources that nothing can be had from now."""
        marks, lost = self.journal.marks(), set[str]()
        for name, source in self.sources.items():
            try:
                with caught():
                    for seen in source.look(marks):
                        if isinstance(seen, Trouble):
                            self._trouble(f"{name}: {seen.where}", seen.error)
                        else:
                            self.journal.see(*seen)
            except LabError as error:
                self._trouble(name, error)
                lost |= {name} if isinstance(error, InfrastructureError) else set()
        return lost

    def _make_bundles(self, lost: set[str]) -> None:
        patterns = self.publication.policy.jobs
        for job in self.journal.private_jobs():
            if allowed(job, patterns):
                self.journal.reopen(job)
        for entry in self.journal.unbundled(self.now()):
            if self._is_retracted(build_id(entry.source)):
                self.journal.advance(entry.source, "retracted")
            elif not allowed(entry.job, patterns):
                self.journal.advance(entry.source, "private", "not on the list publish.jobs of lab.yaml")
            else:
                name = next((name for name, source in self.sources.items() if source.has(entry.found)), "")
                if name and name not in lost:
                    self._make_bundle(name, entry, lost)
        if not self.journal.unbundled(float("inf")):
            shutil.rmtree(self.place.spool(), ignore_errors=True)

    def _make_bundle(self, name: str, entry: JournalEntry, lost: set[str]) -> None:
        spool = self.place.spool(entry.source)
        try:
            with caught():
                build, contents = self.sources[name].fetch(entry.found, spool)
        except Gone as error:
            self.journal.advance(entry.source, "gone", str(error))
        except LabError as error:
            self._held_back(f"{name}: {entry.source}", entry, error)
            if isinstance(error, InfrastructureError):
                lost.add(name)  # what else there is to fetch from there waits for the next pass
        else:
            self.journal.advance(entry.source, "fetched")
            self._convert(entry, build, contents)
        if not self.journal.is_under_way(entry.source):
            shutil.rmtree(spool, ignore_errors=True)

    def _held_back(self, where: str, entry: JournalEntry, error: LabError) -> None:
        """A build that cannot be bundled now, or for a bug not at all."""
        self._trouble(where, error)
        if isinstance(error, Bug):
            self.journal.advance(entry.source, "parked", one_line(error))
        else:
            self.journal.put_off(entry, one_line(error), self.now())

    def _convert(self, entry: JournalEntry, build: Build, contents: Files) -> None:
        try:
            with caught():
                path = self.publication.publish(build, contents, self.place.bundles)
                told = bundle.read(path)
                if self._is_retracted(build_id(told.build.id)):
                    path.unlink()
                    self.journal.advance(entry.source, "retracted")
                    return
                authors = dict.fromkeys(parseaddr(commit.author)[1] for commit in build.commits)
                self.journal.bundled(entry.source, told.build, told.digest, list(filter(ADDRESS.fullmatch, authors)))
        except LabError as error:
            where = f"redact: {entry.source}" if isinstance(error, Bug) else "redact"
            self._held_back(where, entry, error)
        else:
            self.report.bundled += 1

    # Outputs

    def _use(self, name: str, output: Output) -> None:
        counts = self.report.outcomes.setdefault(name, Counter())
        try:
            with caught():
                self._withdraw(name, output)
                items = list(self._items(name, output))
                for outcome in output.deliver(items) if items else ():
                    counts[self._note(name, outcome)] += 1
        except LabError as error:
            self._trouble(name, error)
            self.journal.fail(name, one_line(error), self.now())
        else:
            self.journal.recover(name)

    def _note(self, output: str, outcome: DeliveryOutcome) -> Settled | Literal["later"]:
        """Write down how a delivery went; return that, which is parked for one that failed too often."""
        how, note = outcome.how, outcome.note
        if how == "later":
            tries = self.journal.delay(outcome.name, output, note, self.now())
            if outcome.is_own and tries >= MOST_TRIES:
                how, note = "parked", f"given up after {tries} tries: {note}"
        if how != "later":
            self.journal.settle(outcome.name, output, how, note)
        if how in {"parked", "later"} and outcome.is_trouble:
            kind = Bug if outcome.is_bug else InfrastructureError
            self._trouble(output, kind(f"{outcome.name}: {how}: {note}"))
        return how

    def _items(self, name: str, output: Output) -> Iterator[PendingDelivery]:
        for entry in self.journal.waiting(name, self.now(), is_ordered=output.is_ordered):
            item = self.place.item(entry)
            if item.path.exists():
                yield item
            else:
                self.journal.settle(item.name, name, "parked", "its bundle is not in the store any more")

    def _withdraw(self, name: str, output: Output) -> None:
        """Have an output take back what it has yet to; one that cannot be taken back holds up nothing else."""
        for stone in self.place.tombstones():
            if self.journal.is_withdrawn(stone.name, name):
                continue
            try:
                with caught():
                    output.withdraw([stone])
                    self.journal.settle(stone.name, name, "withdrawn")
            except InfrastructureError:
                raise
            except LabError as error:
                self._trouble(name, error)

    # Retraction

    def _is_retracted(self, name: str) -> bool:
        return self.place.tombstone(name).exists()

    def find(self, wanted: str) -> JournalEntry:
        """Return the build with an identity, a short name, or the URL of its page.

        Raises ConfigurationError for an unknown or retracted build.
        """
        entry = self.journal.named(wanted) or self.journal.named(wanted.rstrip("/").rpartition("/")[2])
        if entry is None or entry.state == "retracted":
            known = "is retracted already" if entry else "no such build was published"
            raise ConfigurationError(f"{wanted}: {known}", hint="name its identity, its short name, or its page")
        return entry

    def retract(self, wanted: str) -> PublishReport:
        """Permanently unpublish a build from every output; see `find` for its name."""
        self._begin()
        entry = self.find(wanted)
        component, track, phase = entry.lane
        name, now = entry.name or build_id(entry.source), rfc3339(environment.now())
        stone = Tombstone(name=name, component=component, track=track, phase=phase, retracted=now)
        stone.write(self.place.tombstone(name))
        self._bury()
        self.journal.advance(entry.source, "retracted")
        for output_name, output in self.outputs.items():
            try:
                with caught():
                    self._withdraw(output_name, output)
            except LabError as error:
                self._trouble(output_name, error)
        return self.report
