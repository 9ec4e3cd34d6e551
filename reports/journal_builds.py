"""The builds in the journal; each method is one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.base.errors import ConfigurationError, Verdict
from lab.results.build_identity import build_id
from lab.store.run_order import RunPlace, in_order
from reports.database import DatabaseTable
from reports.journal_entries import JournalEntry, SourceBuild, State, pause
from reports.model import Build, ReviewedBuild, started_ms
from reports.outcomes import RunResults, results
from reports.transitions import HistoryPoint


@dataclass(frozen=True)
class BuildTable(DatabaseTable):
    """The builds that are known, and the progress of each to its bundle."""

    # From sources

    def see(self, builds: Iterable[SourceBuild], mark: SourceBuild | None = None) -> None:
        """Add new builds; all builds of the job of ``mark`` up to ``mark`` are known."""
        with self.base:
            self._insert(builds)
            if mark:
                row = (mark.job, mark.number, mark.started)
                self.base.execute("INSERT OR REPLACE INTO mark (job, number, started) VALUES (?, ?, ?)", row)

    def marks(self) -> dict[str, tuple[int, int]]:
        """Return for each Jenkins job the number and the start of the build up to which all are known."""
        rows = self._rows("SELECT job, number, started FROM mark")
        return {row["job"]: (row["number"], row["started"]) for row in rows}

    def knows(self, source: str) -> bool:
        return bool(self._rows("SELECT 1 FROM build WHERE source = ?", source))

    @property
    def is_empty(self) -> bool:
        return not self._rows("SELECT 1 FROM build LIMIT 1")

    def _insert(self, builds: Iterable[SourceBuild]) -> None:
        rows = [(build.source, build.origin, build.job, build.number, build.started) for build in builds]
        self.base.executemany(
            "INSERT OR IGNORE INTO build (source, origin, job, number, started, state) VALUES (?, ?, ?, ?, ?, 'seen')",
            rows,
        )

    # To bundles

    def unbundled(self, now: float) -> list[JournalEntry]:
        """Return the builds that wait for their bundle and are due, oldest first."""
        query = "SELECT * FROM build WHERE state IN ('seen', 'fetched') AND due <= ? ORDER BY started, number, source"
        return [JournalEntry.of(row) for row in self._rows(query, now)]

    def is_unbundled(self, source: str) -> bool:
        """Return whether a build still waits for its bundle."""
        return bool(self._rows("SELECT 1 FROM build WHERE source = ? AND state IN ('seen', 'fetched')", source))

    def advance(self, source: str, state: State, note: str = "") -> None:
        query = (
            "UPDATE build SET state = ?, tries = 0, due = 0, note = ?, results = '', "
            "retracted_after = IIF(? = 'retracted', (SELECT MAX(arrival) FROM build), 0) WHERE source = ?"
        )
        self._write(query, state, note, state, source)

    def postpone(self, entry: JournalEntry, note: str, now: float) -> None:
        """Try a build that could not be bundled again after a pause."""
        due = now + pause(entry.tries + 1, entry.source)
        self._write("UPDATE build SET tries = tries + 1, due = ?, note = ? WHERE source = ?", due, note, entry.source)

    def set_bundled(
        self, source: str, build: Build, bundle: str, authors: Sequence[str] = (), now: float = 0.0
    ) -> None:
        """Mark a build whose bundle is in the store.

        ``authors``: the addresses of the authors of the commits that this build is the first to have.
        """
        with self.base:
            self._set_bundled(source, build, bundle, authors, now)
            query = "UPDATE build SET arrival = (SELECT MAX(arrival) + 1 FROM build) WHERE source = ?"
            self.base.execute(query, (source,))

    def adopt(self, bundles: Iterable[tuple[Build, str]], now: float = 0.0) -> None:
        """Add the unknown builds of bundles in the store: all of them, or none."""
        with self.base:
            for build, bundle in bundles:
                source_build = SourceBuild(build.origin, build.job, build.number, started_ms(build.started))
                self._insert([source_build])
                self._set_bundled(source_build.source, build, bundle, (), now)

    def _set_bundled(self, source: str, build: Build, bundle: str, authors: Sequence[str], now: float) -> None:
        values = (build_id(build.id), bundle, build.component, build.track, build.phase, build.verdict)
        query = (
            "UPDATE build SET state = 'bundled', tries = 0, due = 0, note = '', name = ?, bundle = ?, component = ?, "
            "track = ?, phase = ?, verdict = ?, authors = ?, bundled = ? WHERE source = ?"
        )
        self.base.execute(query, (*values, "\n".join(authors), now, source))
        self._set_results(source, build)

    def _set_results(self, source: str, build: Build) -> None:
        found, names = results(build)
        self.base.execute("INSERT OR IGNORE INTO roster VALUES (?, ?)", (found.roster, json.dumps(names)))
        query = "UPDATE build SET finished = ?, revision = ?, results = ?, proposal = ? WHERE source = ?"
        row = (
            started_ms(build.finished) / 1000,
            build.commit,
            found.model_dump_json(exclude_defaults=True),
            build.proposal.key if build.proposal else "",
            source,
        )
        self.base.execute(query, row)

    def without_results(self) -> list[JournalEntry]:
        """Return the published builds from a journal of an older release."""
        rows = self._rows("SELECT * FROM build WHERE state = 'bundled' AND results = ''")
        return [JournalEntry.of(row) for row in rows]

    def set_results(self, source: str, build: Build) -> None:
        """Add the results of a build from its bundle."""
        with self.base:
            self._set_results(source, build)

    def private_jobs(self) -> list[str]:
        return [row["job"] for row in self._rows("SELECT DISTINCT job FROM build WHERE state = 'private'")]

    def reopen(self, job: str) -> None:
        """Publish the builds of a job that was private."""
        self._write("UPDATE build SET state = 'seen' WHERE state = 'private' AND job = ?", job)

    def retry(self) -> None:
        """Make postponed and parked builds due now."""
        with self.base:
            self.base.execute("UPDATE build SET due = 0")
            self.base.execute("UPDATE build SET state = 'seen', note = '' WHERE state = 'parked'")

    # Published builds

    def named(self, name: str) -> JournalEntry | None:
        """Return the build with a short name or an identity."""
        query = "SELECT * FROM build WHERE source = ? OR (name = ? AND name != '')"
        return next((JournalEntry.of(row) for row in self._rows(query, name, name)), None)

    def find(self, name: str) -> JournalEntry:
        """Return the build with an identity, a short name, or the URL of its page.

        Raises ConfigurationError for an unknown or retracted build.
        """
        entry = self.named(name) or self.named(name.rstrip("/").rpartition("/")[2])
        if entry is None or entry.state == "retracted":
            problem = "is retracted already" if entry else "no published build"
            raise ConfigurationError(f"{name}: {problem}", hint="use its identity, its short name, or its page")
        return entry

    def published(self) -> list[JournalEntry]:
        rows = self._rows("SELECT * FROM build WHERE state = 'bundled' ORDER BY started, number, source")
        return [JournalEntry.of(row) for row in rows]

    def lane(self, component: str, track: str, phase: str) -> list[HistoryPoint]:
        """Return the published builds of a phase of a component on a track, oldest first, and those retracted since."""
        query = (
            "SELECT build.*, roster.names FROM build LEFT JOIN roster ON roster.digest = json_extract(NULLIF(results, ''), '$.roster') "
            "WHERE state IN ('bundled', 'retracted') AND name != '' AND component = ? AND track = ? AND phase = ? "
            "ORDER BY started, number, source"
        )
        rosters: dict[str, frozenset[str]] = {}

        def named(names: str) -> frozenset[str]:
            if names not in rosters:
                rosters[names] = frozenset(json.loads(names))
            return rosters[names]

        def place(row: sqlite3.Row) -> RunPlace:
            return RunPlace((row["origin"], row["job"]), row["number"], row["started"] / 1000)

        return [
            HistoryPoint(
                row["name"],
                row["started"] / 1000,
                row["verdict"],
                RunResults.model_validate_json(row["results"]) if row["results"] else None,
                named(row["names"] or "[]"),
                row["revision"],
                row["bundled"] - row["finished"] if row["bundled"] else 0.0,
                row["arrival"],
                is_retracted=row["state"] == "retracted",
                retracted_after=row["retracted_after"],
            )
            for row in in_order(self._rows(query, component, track, phase), place)
        ]

    def of_proposal(self, key: str) -> list[ReviewedBuild]:
        """Return the published builds of a head under review, oldest first."""
        query = (
            "SELECT name, component, track, phase, started, verdict FROM build WHERE state = 'bundled' AND proposal = ? "
            "ORDER BY started, number, source"
        )
        return [
            ReviewedBuild(row["name"], (row["component"], row["track"], row["phase"]), row["started"], row["verdict"])
            for row in self._rows(query, key)
        ]

    def verdicts(self) -> list[tuple[str, tuple[str, str, str], Verdict]]:
        """Return the name, the lane and the verdict of each build that was published, in the order of their publication.

        Builds that were published after a newer one of their job are left out.  Those that were retracted since are among
        them: their verdicts say as much about the lab's health.
        """
        query = (
            "SELECT name, component, track, phase, verdict, origin, job, number, started FROM build "
            "WHERE state IN ('bundled', 'retracted') AND name != '' ORDER BY arrival, started, number, source"
        )
        newest: dict[tuple[str, str], tuple[int, int]] = {}
        found: list[tuple[str, tuple[str, str, str], Verdict]] = []
        for row in self._rows(query):
            job = (row["origin"], row["job"])
            number, started = newest.get(job, (0, 0))
            if row["number"] < number and row["started"] < started:
                continue
            newest[job] = (row["number"], row["started"])
            found.append((row["name"], (row["component"], row["track"], row["phase"]), row["verdict"]))
        return found

    def authors(self, name: str) -> list[str]:
        rows = self._rows("SELECT authors FROM build WHERE name = ?", name)
        return [address for row in rows for address in row["authors"].split("\n") if address]

    # Reports

    def counts(self) -> dict[str, int]:
        """Return the number of builds in each state."""
        rows = self._rows("SELECT state, COUNT(*) AS builds FROM build GROUP BY state ORDER BY state")
        return {row["state"]: row["builds"] for row in rows}

    def unfinished(self) -> list[JournalEntry]:
        """Return the builds that wait for their bundle or are parked."""
        query = "SELECT * FROM build WHERE state IN ('seen', 'fetched', 'parked') ORDER BY started, number, source"
        return [JournalEntry.of(row) for row in self._rows(query)]
