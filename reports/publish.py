"""Publishing: builds from the sources become bundles, and each output delivers each bundle once.

A pass looks for new builds, makes their bundles, and has each output deliver the builds that wait for it.  A pass can
be killed at any moment; the next pass continues.  A failure, even a bug of qalab, delays neither the other builds nor
the other outputs.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from lab.base import environment
from lab.base.errors import Aborted, InfrastructureError, LabError
from lab.base.failures import Bug, caught
from lab.results.build_identity import build_id
from lab.store.records import rfc3339
from reports import bundle
from reports.build_times import check_times
from reports.home import SUFFIX, PublicationHome, clock
from reports.journal import Journal
from reports.journal_deliveries import SOURCE
from reports.journal_entries import JournalEntry, Settled
from reports.mail_addresses import gets_mail
from reports.model import Build, merges_apart
from reports.outputs.delivery import (
    MOST_IN_A_ROW,
    DeliveryOutcome,
    Output,
    PendingDelivery,
    Tombstone,
    one_line,
    seconds_of,
)
from reports.publish_report import PublishReport
from reports.redact.publication import Files, Publication, allowed
from reports.sources.source import Gone, Source, Trouble

MOST_TRIES: Final = 20  # for one failing build or delivery: about three days


@dataclass
class Publisher:
    """A lab's publisher, while the publisher's lock is held."""

    place: PublicationHome
    journal: Journal
    publication: Publication
    sources: Mapping[str, Source]
    outputs: Mapping[str, Output]
    now: Callable[[], float]
    withheld: Callable[[Build], str] = lambda _: ""
    """Why a build is not published, although its job is; see `reports.private_proposals`."""
    report: PublishReport = field(default_factory=PublishReport)
    failures: Counter[str] = field(default_factory=Counter)
    """The builds in a row that each source failed to give; after some, its other builds wait for the next pass."""
    delayed: set[str] = field(default_factory=set)
    """The jobs whose other builds wait for the next pass, so that none overtakes."""

    def run(self) -> PublishReport:
        """Make one pass."""
        self._begin()
        lost = self._look()
        self._ask_activity(lost)
        self._make_bundles(lost)
        for name, output in self.outputs.items():
            outage = self.journal.deliveries.outage(name)
            if outage and outage.due > self.now():
                self._report_error(name, InfrastructureError(f"postponed until {clock(outage.due)}: {outage.note}"))
            else:
                self._deliver(name, output)
        return self.report

    def _begin(self) -> None:
        self.report, self.failures, self.delayed = PublishReport(), Counter(), set()
        for name in (name for name, output in self.outputs.items() if output.is_news):
            self.journal.deliveries.introduce(name)
        if self.journal.builds.is_empty:
            self.journal.builds.adopt(self._bundles(), self.now())
        self._add_results()
        self._remove_retracted()

    def _add_results(self) -> None:
        """Add the results that the journal of an older release does not have."""
        for entry in self.journal.builds.without_results():
            with suppress(LabError), caught():  # the outputs report a bundle that cannot be read
                self.journal.builds.set_results(entry.source, bundle.read(self.place.bundle(entry.bundle)).build)

    def _remove_retracted(self) -> None:
        """Remove the bundles of retracted builds, also after an interrupted retraction."""
        for tombstone in self.place.tombstones():
            entry = self.journal.builds.named(tombstone.name)
            if entry and entry.state == "bundled":
                self.place.bundle(entry.bundle).unlink(missing_ok=True)
                self.journal.builds.advance(entry.source, "retracted")

    def _report_error(self, where: str, error: LabError) -> None:
        if isinstance(error, Aborted):
            raise error
        self.report.errors.append((where, error))

    # Sources

    def _bundles(self) -> Iterator[tuple[Build, str]]:
        """Yield the builds of the bundles in the store: without a journal, these are the published builds."""
        for path in sorted(self.place.bundles.glob(f"??/*{SUFFIX}"), reverse=True):
            try:
                with caught():
                    stored = bundle.read(path)
                    check_times(stored.build, self.now())
            except LabError as error:
                self._report_error("bundles", error)
            else:
                yield stored.build, stored.digest

    def _look(self) -> set[str]:
        """Add the new builds to the journal; return the sources that cannot be used now."""
        marks, lost = self.journal.builds.marks(), set[str]()
        for name, source in self.sources.items():
            try:
                with caught():
                    for seen in source.look(marks):
                        if isinstance(seen, Trouble):
                            self._report_error(f"{name}: {seen.where}", seen.error)
                        else:
                            self.journal.builds.see(*seen)
            except LabError as error:
                self._report_error(name, error)
                self.journal.deliveries.begin_outage(f"{SOURCE}{name}", one_line(error), self.now())
                lost |= {name} if isinstance(error, InfrastructureError) else set()
            else:
                self.journal.deliveries.end_outage(f"{SOURCE}{name}")
        return lost

    def _ask_activity(self, lost: set[str]) -> None:
        """Write down what waits and runs in the public jobs; the names of machines are redacted."""
        for name, source in self.sources.items():
            try:
                with caught():
                    if name not in lost and (found := source.activity()):
                        self.place.write_activity(self.publication.activity(found))
            except LabError as error:
                self._report_error(f"{name}: what waits and runs", error)

    def _make_bundles(self, lost: set[str]) -> None:
        patterns = self.publication.policy.jobs
        for job in self.journal.builds.private_jobs():
            if allowed(job, patterns):
                self.journal.builds.reopen(job)
        for entry in self.journal.builds.unbundled(self.now()):
            if self._is_retracted(build_id(entry.source)):
                self.journal.builds.advance(entry.source, "retracted")
            elif not allowed(entry.job, patterns):
                self.journal.builds.advance(entry.source, "private", "not on the list publish.jobs of lab.yaml")
            else:
                name = next((name for name, source in self.sources.items() if source.has(entry.source_build)), "")
                if name and name not in lost and entry.job not in self.delayed:
                    self._make_bundle(name, entry)
                    lost |= {name} if self.failures[name] >= MOST_IN_A_ROW else set()
        if not self.journal.builds.unbundled(float("inf")):
            shutil.rmtree(self.place.spool(), ignore_errors=True)

    def _make_bundle(self, name: str, entry: JournalEntry) -> None:
        spool = self.place.spool(entry.source)
        try:
            with caught():
                build, contents = self.sources[name].fetch(entry.source_build, spool)
                check_times(build, self.now())
                why = self.withheld(build)
        except Gone as error:
            self.journal.builds.advance(entry.source, "gone", str(error))
        except LabError as error:
            self._postpone(f"{name}: {entry.source}", entry, error)
            if isinstance(error, InfrastructureError):
                self.failures[name] += 1
            # A refusal can pass, too, such as of a login; a bug stays.
            if isinstance(error, InfrastructureError) or not (entry.tries or isinstance(error, Bug)):
                self.delayed.add(entry.job)
        else:
            self.failures[name] = 0
            if why:
                self.journal.builds.advance(entry.source, "private", why)
            else:
                self.journal.builds.advance(entry.source, "fetched")
                self._convert(entry, build, contents)
        if not self.journal.builds.is_unbundled(entry.source):
            shutil.rmtree(spool, ignore_errors=True)

    def _postpone(self, where: str, entry: JournalEntry, error: LabError) -> None:
        """Postpone a build that cannot be bundled now; park it if a bug is the reason, and after many tries."""
        self._report_error(where, error)
        if isinstance(error, Bug):
            self.journal.builds.advance(entry.source, "parked", one_line(error))
        elif entry.tries + 1 >= MOST_TRIES:
            note = f"given up after {entry.tries + 1} tries: {one_line(error)}"
            self.journal.builds.advance(entry.source, "parked", note)
        else:
            self.journal.builds.postpone(entry, one_line(error), self.now())

    def _convert(self, entry: JournalEntry, build: Build, contents: Files) -> None:
        try:
            with caught():
                path = self.publication.publish(build, contents, self.place.bundles)
                written = bundle.read(path)
                if self._is_retracted(build_id(written.build.id)):
                    path.unlink()
                    self.journal.builds.advance(entry.source, "retracted")
                    return
                authors = dict.fromkeys(commit.address for commit in merges_apart(build.commits)[0])
                self.journal.builds.set_bundled(
                    entry.source, written.build, written.digest, list(filter(gets_mail, authors)), self.now()
                )
        except LabError as error:
            where = f"redact: {entry.source}" if isinstance(error, Bug) else "redact"
            self._postpone(where, entry, error)
        else:
            self.report.bundled += 1

    # Outputs

    def _deliver(self, name: str, output: Output) -> None:
        counts = self.report.outcomes.setdefault(name, Counter())
        try:
            with caught():
                self._withdraw(name, output)
                items = list(self._items(name, output))
                for outcome in output.deliver(items) if items or output.is_live else ():
                    counts[self._settle(name, outcome)] += 1
        except LabError as error:
            self._report_error(name, error)
            self.journal.deliveries.begin_outage(name, one_line(error), self.now(), seconds_of(error))
        else:
            self.journal.deliveries.end_outage(name)

    def _settle(self, output: str, outcome: DeliveryOutcome) -> Settled | Literal["later"]:
        """Record the outcome of a delivery, and return it: ``parked`` if the delivery failed too often."""
        how, note = outcome.how, outcome.note
        if how == "later":
            tries = self.journal.deliveries.postpone(outcome.name, output, note, self.now(), outcome.wait)
            if outcome.is_own and tries >= MOST_TRIES:
                how, note = "parked", f"given up after {tries} tries: {note}"
        if how != "later":
            self.journal.deliveries.settle(outcome.name, output, how, note)
        if how in {"parked", "later"} and outcome.is_trouble:
            kind = Bug if outcome.is_bug else InfrastructureError
            self._report_error(output, kind(f"{outcome.name}: {how}: {note}"))
        return how

    def _items(self, name: str, output: Output) -> Iterator[PendingDelivery]:
        for entry in self.journal.deliveries.waiting(name, self.now(), is_ordered=output.is_ordered):
            item = self.place.item(entry)
            if item.path.exists():
                yield item
            else:
                self.journal.deliveries.settle(item.name, name, "parked", "its bundle is no longer in the store")

    def _withdraw(self, name: str, output: Output) -> None:
        """Have an output unpublish the retracted builds; a failure does not delay the others."""
        for tombstone in self.place.tombstones():
            if self.journal.deliveries.is_withdrawn(tombstone.name, name):
                continue
            try:
                with caught():
                    output.withdraw([tombstone])
                    self.journal.deliveries.settle(tombstone.name, name, "withdrawn")
            except InfrastructureError:
                raise
            except LabError as error:
                self._report_error(name, error)

    # Retraction

    def _is_retracted(self, name: str) -> bool:
        return self.place.tombstone(name).exists()

    def retract(self, build_name: str) -> PublishReport:
        """Permanently unpublish a build from every output; see `BuildTable.find` for its name."""
        self._begin()
        entry = self.journal.builds.find(build_name)
        component, track, phase = entry.lane
        name, now = entry.name or build_id(entry.source), rfc3339(environment.now())
        about = self.place.proposal_of(entry)
        tombstone = Tombstone(name=name, component=component, track=track, phase=phase, retracted=now, proposal=about)
        tombstone.write(self.place.tombstone(name))
        self._remove_retracted()
        self.journal.builds.advance(entry.source, "retracted")
        for output_name, output in self.outputs.items():
            try:
                with caught():
                    self._withdraw(output_name, output)
            except LabError as error:
                self._report_error(output_name, error)
        return self.report
