"""The deliveries in the journal: what each output got, what waits for it, and why; each method is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from reports.database import DatabaseTable
from reports.journal_entries import Delivery, JournalEntry, Outage, Settled, pause

SOURCE: Final = "source "  # begins the name of a source among the outages


@dataclass(frozen=True)
class DeliveryTable(DatabaseTable):
    """The delivery of each bundled build to each output, and the outages of outputs."""

    def waiting(self, output: str, now: float, *, is_ordered: bool = True) -> list[JournalEntry]:
        """Return the builds that an output still has to get, oldest first, but those that failed before last.

        An ordered output gets the builds of a lane in their order: none overtakes an older one that waits.
        """
        query = (
            "SELECT build.*, COALESCE(delivery.due, 0) AS delivery_due, COALESCE(delivery.tries, 0) AS delivery_tries "
            "FROM build LEFT JOIN delivery ON delivery.name = build.name AND delivery.output = ? "
            "WHERE build.state = 'bundled' AND (delivery.state IS NULL "
            "OR delivery.state NOT IN ('delivered', 'nothing', 'parked', 'withdrawn')) "
            "ORDER BY build.started, build.number, build.source"
        )
        due: list[tuple[int, JournalEntry]] = []
        tries = dict[tuple[str, ...], int]()  # of the oldest build of each lane
        postponed = set[tuple[str, ...]]()
        for row in self._rows(query, output):
            entry = JournalEntry.of(row)
            lane = entry.lane if is_ordered else (entry.source,)
            if row["delivery_due"] > now:
                postponed.add(lane)
            elif lane not in postponed:
                due.append((tries.setdefault(lane, row["delivery_tries"]), entry))
        return [entry for _, entry in sorted(due, key=itemgetter(0))]

    def introduce(self, output: str) -> None:
        """Settle the builds that were published before an output was configured; nothing for a known output."""
        with self.base:
            if self.base.execute("INSERT OR IGNORE INTO introduced VALUES (?)", (output,)).rowcount:
                note = "published before this output was configured"
                query = (
                    "INSERT OR IGNORE INTO delivery (name, output, state, note) "
                    "SELECT name, ?, 'nothing', ? FROM build WHERE state = 'bundled'"
                )
                self.base.execute(query, (output, note))

    def settle(self, name: str, output: str, state: Settled, note: str = "") -> None:
        self._write(
            "INSERT OR REPLACE INTO delivery (name, output, state, note) VALUES (?, ?, ?, ?)", name, output, state, note
        )

    def postpone(self, name: str, output: str, note: str, now: float, least: float = 0.0) -> int:
        """Try a failed delivery again after a pause of ``least`` seconds or more; return the number of tries so far."""
        rows = self._rows("SELECT tries FROM delivery WHERE name = ? AND output = ?", name, output)
        tries = (rows[0]["tries"] if rows else 0) + 1
        row = (name, output, tries, now + max(least, pause(tries, f"{name} {output}")), note)
        query = (
            "INSERT OR REPLACE INTO delivery (name, output, state, tries, due, note) VALUES (?, ?, 'waiting', ?, ?, ?)"
        )
        self._write(query, *row)
        return tries

    def is_withdrawn(self, name: str, output: str) -> bool:
        query = "SELECT 1 FROM delivery WHERE name = ? AND output = ? AND state = 'withdrawn'"
        return bool(self._rows(query, name, output))

    def outage(self, output: str) -> Outage | None:
        rows = self._rows("SELECT tries, due, note FROM output WHERE name = ?", output)
        return Outage(**rows[0]) if rows else None

    def begin_outage(self, output: str, note: str, now: float, least: float = 0.0) -> None:
        """Postpone all deliveries to an output that could not be used, by ``least`` seconds or more."""
        before = self.outage(output)
        tries = (before.tries if before else 0) + 1
        query = "INSERT OR REPLACE INTO output (name, tries, due, note) VALUES (?, ?, ?, ?)"
        self._write(query, output, tries, now + max(least, pause(tries, output)), note)

    def end_outage(self, output: str) -> None:
        self._write("DELETE FROM output WHERE name = ?", output)

    def retry(self) -> None:
        """Make postponed and parked deliveries due now, and end all outages."""
        with self.base:
            self.base.execute("DELETE FROM delivery WHERE state IN ('waiting', 'parked')")
            self.base.execute("DELETE FROM output")

    # Reports

    def lost_sources(self) -> dict[str, str]:
        """Return the sources that could not be used in the last pass, with the reasons."""
        rows = self._rows("SELECT name, note FROM output WHERE name LIKE ? ORDER BY name", f"{SOURCE}%")
        return {row["name"].removeprefix(SOURCE): row["note"] for row in rows}

    def counts(self, output: str) -> dict[str, int]:
        """Return the number of builds in each state of delivery to an output; ``waiting`` is one of the states."""
        query = (
            "SELECT COALESCE(delivery.state, 'waiting') AS how, COUNT(*) AS builds FROM build LEFT JOIN delivery "
            "ON delivery.name = build.name AND delivery.output = ? WHERE build.state = 'bundled' GROUP BY how ORDER BY how"
        )
        return {row["how"]: row["builds"] for row in self._rows(query, output)}

    def unfinished(self) -> list[Delivery]:
        """Return the deliveries that are postponed or parked."""
        query = (
            "SELECT delivery.name, output, delivery.state, delivery.tries, delivery.due, delivery.note, build.source "
            "FROM delivery JOIN build ON build.name = delivery.name WHERE build.state = 'bundled' AND "
            "(delivery.state = 'parked' OR delivery.state = 'waiting') ORDER BY build.started, output"
        )
        return [Delivery(**row) for row in self._rows(query)]
