"""The journal: its builds, its deliveries, and the time of the next try."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.base.schema import NewerSchemaError
from lab.results.cases import Case
from reports.journal import Journal, opened
from reports.journal_entries import SourceBuild, pause
from reports.model import Build, started_ms
from tests.reports.publications import a_build

# Written by the release before schemas were migrated.
SCHEMA_1 = Path(__file__).parent.parent / "data/schema1"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with opened(tmp_path / "journal.sqlite") as journal:
        yield journal


def source_build(number: int = 1, started: int = 1_767_225_600_000) -> SourceBuild:
    return SourceBuild("local", "trunk/greet/build", number, started)


def bundled(journal: Journal, number: int = 1) -> str:
    """Add a bundled build, and return its short name."""
    build = source_build(number)
    journal.builds.see([build])
    journal.builds.set_bundled(
        build.source, a_build(number=number), f"{number:064x}", ["a@example.org", "b@example.org"]
    )
    entry = journal.builds.named(build.source)
    assert entry is not None
    return entry.name


@given(st.integers(1, 1000), st.text(max_size=5))
def test_pause_grows_with_tries(tries: int, salt: str) -> None:
    assert 30 <= pause(tries, salt) <= 6 * 3600
    assert pause(tries, salt) <= 2 * pause(tries + 1, salt)
    assert pause(tries, salt) == pause(tries, salt)


def test_pause_differs_between_builds() -> None:
    assert len({pause(3, str(number)) for number in range(100)}) > 50


def write_schema_1(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.executescript((SCHEMA_1 / "journal.sql").read_text())


def test_journal_migrates_schema_1(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write_schema_1(path)
    with opened(path) as journal:
        assert journal.builds.counts() == {"bundled": 1, "gone": 1, "seen": 1}
        assert journal.builds.marks() == {"trunk/greet/build": (3, 1_767_225_600_003)}
        (entry,) = journal.builds.published()
        assert (entry.source, entry.lane) == ("local/trunk/greet/build/1@1767225600001", ("greet", "trunk", "build"))
        assert journal.builds.named(entry.name) == entry
        assert journal.builds.authors(entry.name) == ["a@example.org"]
        assert journal.deliveries.counts("mail") == {"waiting": 1}
        assert journal.deliveries.counts("site") == {"delivered": 1}
        assert [(build.note, build.tries) for build in journal.builds.unfinished()] == [("", 0)]
        assert [(delivery.note, delivery.tries) for delivery in journal.deliveries.unfinished()] == [("no route", 1)]
        outage = journal.deliveries.outage("gerrit")
        assert outage is not None
        assert (outage.tries, outage.note) == (1, "down")
        for output, counts in (("mail", {"waiting": 1}), ("gerrit", {"waiting": 1}), ("chat", {"nothing": 1})):
            journal.deliveries.introduce(output)
            assert journal.deliveries.counts(output) == counts
        (point,) = journal.builds.lane("greet", "trunk", "build")
        assert (point.results, point.delay) == (None, 0.0)
        assert journal.builds.without_results() == [entry]
        journal.builds.set_results(entry.source, a_build())
        assert journal.builds.without_results() == []
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (6,)


def test_journal_leaves_newer_schema_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write_schema_1(path)
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA user_version = 7")
    before = path.read_bytes()
    with pytest.raises(NewerSchemaError) as caught, opened(path):
        pass
    assert str(caught.value) == (f"{path} was written by a newer qalab (schema 7; this one knows 6): upgrade qalab")
    assert path.read_bytes() == before
    assert list(tmp_path.glob("journal*")) == [path]


def test_see_adds_build_once(journal: Journal) -> None:
    journal.builds.see([source_build(), source_build()])
    journal.builds.advance(source_build().source, "fetched")
    journal.builds.see([source_build(), source_build(2)])
    assert journal.builds.counts() == {"fetched": 1, "seen": 1}


def test_see_distinguishes_builds_of_a_recreated_job(journal: Journal) -> None:
    journal.builds.see([source_build(1), source_build(1, 1_767_225_600_001)])
    assert journal.builds.counts() == {"seen": 2}


def test_unbundled_orders_by_start(journal: Journal) -> None:
    journal.builds.see([source_build(2, 200), source_build(3, 100), source_build(1, 300)])
    assert [entry.number for entry in journal.builds.unbundled(0)] == [3, 2, 1]


def test_marks_replaces_mark_of_job(journal: Journal) -> None:
    journal.builds.see([source_build(1)], source_build(1))
    journal.builds.see([], source_build(7, 700))
    assert journal.builds.marks() == {"trunk/greet/build": (7, 700)}


def test_postpone_delays_build_until_retry(journal: Journal) -> None:
    journal.builds.see([source_build()])
    (entry,) = journal.builds.unbundled(1000.0)
    journal.builds.postpone(entry, "no luck", 1000.0)
    assert journal.builds.unbundled(1029.0) == []
    (entry,) = journal.builds.unbundled(1060.0)
    assert (entry.tries, entry.note) == (1, "no luck")
    journal.retry()
    assert len(journal.builds.unbundled(0.0)) == 1


def test_waiting_excludes_settled_and_postponed(journal: Journal) -> None:
    first, second = bundled(journal, 1), bundled(journal, 2)
    assert [entry.name for entry in journal.deliveries.waiting("mail", 0)] == [first, second]
    journal.deliveries.settle(first, "mail", "delivered")
    journal.deliveries.postpone(second, "mail", "busy", 1000.0)
    assert journal.deliveries.waiting("mail", 1001.0) == []
    assert [entry.name for entry in journal.deliveries.waiting("mail", 1060.0)] == [second]
    assert [entry.name for entry in journal.deliveries.waiting("site", 0)] == [first, second]
    assert journal.deliveries.counts("mail") == {"delivered": 1, "waiting": 1}
    (delivery,) = journal.deliveries.unfinished()
    assert (delivery.note, delivery.tries) == ("busy", 1)
    journal.deliveries.postpone(second, "mail", "busy", 1000.0)
    assert [delivery.tries for delivery in journal.deliveries.unfinished()] == [2]
    journal.deliveries.settle(second, "mail", "parked", "never")
    assert journal.deliveries.waiting("mail", 1e12) == []
    journal.retry()
    assert [entry.name for entry in journal.deliveries.waiting("mail", 0)] == [second]


def test_waiting_keeps_order_within_lane(journal: Journal) -> None:
    first, second = bundled(journal, 1), bundled(journal, 2)
    journal.builds.see([source_build(3)])
    journal.builds.set_bundled(source_build(3).source, a_build(number=3, component="other"), "3" * 64)
    journal.deliveries.postpone(first, "jenkins", "busy", 1000.0)
    assert [entry.component for entry in journal.deliveries.waiting("jenkins", 1001.0)] == ["other"]
    waiting = [entry.name for entry in journal.deliveries.waiting("jenkins", 1060.0)]
    assert waiting[1:] == [first, second]  # what failed before comes last
    assert [entry.component for entry in journal.deliveries.waiting("jenkins", 1001.0, is_ordered=False)] == [
        "greet",
        "other",
    ]
    journal.deliveries.settle(first, "jenkins", "parked")
    assert [entry.component for entry in journal.deliveries.waiting("jenkins", 1001.0)] == ["greet", "other"]


def test_outage_counts_tries_until_it_ends(journal: Journal) -> None:
    assert journal.deliveries.outage("mail") is None
    journal.deliveries.begin_outage("mail", "down", 1000.0)
    journal.deliveries.begin_outage("mail", "still down", 1000.0)
    outage = journal.deliveries.outage("mail")
    assert outage is not None
    assert (outage.tries, outage.note) == (2, "still down")
    assert 1060.0 <= outage.due <= 1120.0
    journal.deliveries.end_outage("mail")
    assert journal.deliveries.outage("mail") is None


def test_new_output_gets_no_older_builds(journal: Journal) -> None:
    old = bundled(journal, 1)
    journal.deliveries.introduce("chat")
    new = bundled(journal, 2)
    for _ in range(2):
        journal.deliveries.introduce("chat")
        assert [entry.name for entry in journal.deliveries.waiting("chat", 0)] == [new]
    assert [entry.name for entry in journal.deliveries.waiting("site", 0)] == [old, new]
    assert journal.deliveries.counts("chat") == {"nothing": 1, "waiting": 1}
    journal.retry()
    assert [entry.name for entry in journal.deliveries.waiting("chat", 0)] == [new]


def test_pause_is_as_long_as_the_destination_asks(journal: Journal) -> None:
    name = bundled(journal)
    journal.deliveries.postpone(name, "mail", "busy", 1000.0, 7200.0)
    assert journal.deliveries.waiting("mail", 8199.0) == []
    assert [entry.name for entry in journal.deliveries.waiting("mail", 8200.0)] == [name]
    journal.deliveries.begin_outage("mail", "busy", 1000.0, 7200.0)
    outage = journal.deliveries.outage("mail")
    assert outage is not None
    assert outage.due == 8200.0


def test_lane_and_authors_of_bundled_builds(journal: Journal) -> None:
    name = bundled(journal, 2)
    bundled(journal, 1)
    assert [point.verdict for point in journal.builds.lane("greet", "trunk", "build")] == ["passed", "passed"]
    assert journal.builds.lane("greet", "trunk", "deploy") == []
    assert journal.builds.authors(name) == ["a@example.org", "b@example.org"]
    assert journal.builds.authors("nobody") == []


def test_lane_has_the_results_of_builds(journal: Journal) -> None:
    cases = [
        Case(suite="s", classname="c", name=name, outcome=outcome)
        for name, outcome in (("a", "passed"), ("b", "failed"))
    ]
    made = a_build(verdict="failed", cases=tuple(cases))
    journal.builds.see([source_build()])
    journal.builds.set_bundled(source_build().source, made, "0" * 64, now=started_ms(made.finished) / 1000 + 60)
    (point,) = journal.builds.lane("greet", "trunk", "build")
    assert point.results is not None
    assert ([mark.test for mark in point.results.bad_tests], sorted(point.ran)) == (["s/c/b"], ["s/c/a", "s/c/b"])
    assert (point.commit, point.delay) == (made.commit, 60.0)
    assert journal.builds.verdicts() == [(point.name, ("greet", "trunk", "build"), "failed")]
    journal.builds.advance(source_build().source, "retracted")
    assert "s/c/b" not in str([tuple(row) for row in journal.builds.base.execute("SELECT * FROM build")])
    # What people were told stays: the verdict of a retracted build.
    (gone,) = journal.builds.lane("greet", "trunk", "build")
    assert (gone.name, gone.verdict, gone.results, gone.is_retracted) == (point.name, "failed", None, True)
    assert journal.builds.verdicts() == [(point.name, ("greet", "trunk", "build"), "failed")]


def test_reopen_publishes_private_job(journal: Journal) -> None:
    journal.builds.see([source_build()])
    journal.builds.advance(source_build().source, "private")
    assert journal.builds.private_jobs() == ["trunk/greet/build"]
    journal.builds.reopen("trunk/greet/build")
    assert journal.builds.counts() == {"seen": 1}


def test_adopt_adds_bundles_of_the_store(journal: Journal) -> None:
    assert journal.builds.is_empty
    journal.builds.adopt([(a_build(), "0" * 64)])
    assert not journal.builds.is_empty
    assert journal.builds.knows(a_build().id)
    assert journal.builds.counts() == {"bundled": 1}


def test_adopt_adds_nothing_when_interrupted(journal: Journal) -> None:
    def interrupted() -> Iterator[tuple[Build, str]]:
        yield a_build(number=1), "1" * 64
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.builds.adopt(interrupted())
    assert journal.builds.is_empty


def published(journal: Journal, *builds: tuple[int, int, str]) -> None:
    """Publish builds in this order: the number, the start in hours, and the verdict of each."""
    for number, hours, verdict in builds:
        build = SourceBuild("local", "trunk/greet/build", number, 1_767_225_600_000 + hours * 3_600_000)
        journal.builds.see([build])
        journal.builds.set_bundled(build.source, a_build(number=number, verdict=verdict), f"{number:064x}{hours}", [])


def test_lane_says_what_was_published_before_a_retraction(journal: Journal) -> None:
    published(journal, (1, 0, "passed"), (2, 10, "failed"), (3, 20, "failed"))
    journal.builds.advance(
        SourceBuild("local", "trunk/greet/build", 2, 1_767_225_600_000 + 10 * 3_600_000).source, "retracted"
    )
    published(journal, (4, 30, "passed"))
    points = journal.builds.lane("greet", "trunk", "build")
    assert [(one.arrival, one.is_retracted, one.retracted_after) for one in points] == [
        (1, False, 0), (2, True, 3), (3, False, 0), (4, False, 0)
    ]  # fmt: skip


def numbers(journal: Journal) -> list[tuple[int, int]]:
    """Return the number and the arrival of the builds of a lane, oldest first."""
    points = journal.builds.lane("greet", "trunk", "build")
    rows = {
        (row["started"] / 1000, row["verdict"]): row["number"] for row in journal.builds._rows("SELECT * FROM build")
    }
    return [(rows[point.started, point.verdict], point.arrival) for point in points]


@pytest.mark.parametrize(
    "hours, expected",
    [
        ([(1, 0), (3, 20), (2, 10)], [(1, 1), (2, 3), (3, 2)]),  # one arrives late
        ([(1, 0), (2, 22), (3, 10), (4, 20)], [(1, 1), (2, 2), (3, 3), (4, 4)]),  # a clock was ahead
        ([(1, 0), (2, 10), (3, 5)], [(1, 1), (2, 2), (3, 3)]),  # a clock is late
        ([(1, 0), (2, 10), (1, 12), (2, 14)], [(1, 1), (2, 2), (1, 3), (2, 4)]),  # the job was made again
        ([(80, 0), (81, 10), (1, 12)], [(80, 1), (81, 2), (1, 3)]),
        ([(8, 0), (9, 30), (7, 60)], [(8, 1), (9, 2), (7, 3)]),  # too much for a clock
    ],
)
def test_lane_is_in_the_order_of_its_runs(
    journal: Journal, hours: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    published(journal, *((number, hour, "passed") for number, hour in hours))
    assert numbers(journal) == expected


def test_verdicts_are_those_that_nothing_newer_had_overtaken(journal: Journal) -> None:
    published(
        journal,
        (1, 0, "passed"),
        (4, 30, "passed"),
        (2, 10, "error"),
        (3, 20, "error"),
        (6, 45, "error"),
        (7, 42, "passed"),
    )
    assert [verdict for _, _, verdict in journal.builds.verdicts()] == ["passed", "passed", "error", "passed"]
