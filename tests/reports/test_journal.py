"""The journal: what it remembers, and when it says to try again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.base.schema import NewerSchemaError
from reports import journal
from reports.journal import Found, Journal, pause
from reports.model import Build
from tests.reports.publications import a_build

# Written by the release before schemas were migrated.
SCHEMA_1 = Path(__file__).parent.parent / "data/schema1"


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Journal]:
    with journal.opened(tmp_path / "journal.sqlite") as one:
        yield one


def found(number: int = 1, started: int = 1_767_225_600_000) -> Found:
    return Found("local", "trunk/greet/build", number, started)


def bundled(told: Journal, number: int = 1) -> str:
    """A build that was bundled; its short name."""
    one = found(number)
    told.see([one])
    told.bundled(one.source, a_build(number=number), f"{number:064x}", ["a@example.org", "b@example.org"])
    entry = told.named(one.source)
    assert entry is not None
    return entry.name


@given(st.integers(1, 1000), st.text(max_size=5))
def test_the_longer_it_fails_the_longer_it_waits(tries: int, salt: str) -> None:
    assert 30 <= pause(tries, salt) <= 6 * 3600
    assert pause(tries, salt) <= 2 * pause(tries + 1, salt)
    assert pause(tries, salt) == pause(tries, salt)


def test_not_all_come_at_once() -> None:
    assert len({pause(3, str(number)) for number in range(100)}) > 50


def written_by_schema_1(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.executescript((SCHEMA_1 / "journal.sql").read_text())


def test_a_journal_of_schema_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    written_by_schema_1(path)
    with journal.opened(path) as told:
        assert told.states() == {"bundled": 1, "gone": 1, "seen": 1}
        assert told.marks() == {"trunk/greet/build": (3, 1_767_225_600_003)}
        (entry,) = told.published()
        assert (entry.source, entry.lane) == ("local/trunk/greet/build/1@1767225600001", ("greet", "trunk", "build"))
        assert told.named(entry.name) == entry
        assert told.authors(entry.name) == ["a@example.org"]
        assert told.deliveries("mail") == {"waiting": 1}
        assert told.deliveries("site") == {"delivered": 1}
        assert [(each.note, each.tries) for each in told.troubles()] == [("", 0), ("no route", 1)]
        outage = told.outage("gerrit")
        assert outage is not None
        assert (outage.tries, outage.note) == (1, "down")
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_journal_of_a_newer_qalab_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    written_by_schema_1(path)
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA user_version = 3")
    before = path.read_bytes()
    with pytest.raises(NewerSchemaError) as caught, journal.opened(path):
        pass
    assert str(caught.value) == (f"{path} was written by a newer qalab (schema 3; this one knows 1): upgrade qalab")
    assert path.read_bytes() == before
    assert list(tmp_path.glob("journal*")) == [path]


def test_a_build_is_seen_once(told: Journal) -> None:
    told.see([found(), found()])
    told.advance(found().source, "fetched")
    told.see([found(), found(2)])
    assert told.states() == {"fetched": 1, "seen": 1}


def test_a_job_that_counts_from_one_again_has_other_builds(told: Journal) -> None:
    told.see([found(1), found(1, 1_767_225_600_001)])
    assert told.states() == {"seen": 2}


def test_builds_come_in_their_order(told: Journal) -> None:
    told.see([found(2, 200), found(3, 100), found(1, 300)])
    assert [entry.number for entry in told.unbundled(0)] == [3, 2, 1]


def test_marks(told: Journal) -> None:
    told.see([found(1)], found(1))
    told.see([], found(7, 700))
    assert told.marks() == {"trunk/greet/build": (7, 700)}


def test_what_is_put_off(told: Journal) -> None:
    told.see([found()])
    (entry,) = told.unbundled(1000.0)
    told.put_off(entry, "no luck", 1000.0)
    assert told.unbundled(1029.0) == []
    (entry,) = told.unbundled(1060.0)
    assert (entry.tries, entry.note) == (1, "no luck")
    told.retry()
    assert len(told.unbundled(0.0)) == 1


def test_deliveries(told: Journal) -> None:
    first, second = bundled(told, 1), bundled(told, 2)
    assert [entry.name for entry in told.waiting("mail", 0)] == [first, second]
    told.settle(first, "mail", "delivered")
    told.delay(second, "mail", "busy", 1000.0)
    assert told.waiting("mail", 1001.0) == []
    assert [entry.name for entry in told.waiting("mail", 1060.0)] == [second]
    assert [entry.name for entry in told.waiting("site", 0)] == [first, second]
    assert told.deliveries("mail") == {"delivered": 1, "waiting": 1}
    (trouble,) = told.troubles()
    assert (trouble.note, trouble.tries) == ("busy", 1)
    told.delay(second, "mail", "busy", 1000.0)
    assert [one.tries for one in told.troubles()] == [2]
    told.settle(second, "mail", "parked", "never")
    assert told.waiting("mail", 1e12) == []
    told.retry()
    assert [entry.name for entry in told.waiting("mail", 0)] == [second]


def test_nothing_overtakes_what_was_put_off_in_its_lane(told: Journal) -> None:
    first, second = bundled(told, 1), bundled(told, 2)
    told.see([found(3)])
    told.bundled(found(3).source, a_build(number=3, component="other"), "3" * 64)
    told.delay(first, "jenkins", "busy", 1000.0)
    assert [entry.component for entry in told.waiting("jenkins", 1001.0)] == ["other"]
    waiting = [entry.name for entry in told.waiting("jenkins", 1060.0)]
    assert waiting[1:] == [first, second]  # what failed before comes last
    assert [entry.component for entry in told.waiting("jenkins", 1001.0, is_ordered=False)] == ["greet", "other"]
    told.settle(first, "jenkins", "parked")
    assert [entry.component for entry in told.waiting("jenkins", 1001.0)] == ["greet", "other"]


def test_outages(told: Journal) -> None:
    assert told.outage("mail") is None
    told.fail("mail", "down", 1000.0)
    told.fail("mail", "still down", 1000.0)
    outage = told.outage("mail")
    assert outage is not None
    assert (outage.tries, outage.note) == (2, "still down")
    assert 1060.0 <= outage.due <= 1120.0
    told.recover("mail")
    assert told.outage("mail") is None


def test_lanes_and_authors(told: Journal) -> None:
    name = bundled(told, 2)
    bundled(told, 1)
    assert [point.verdict for point in told.lane("greet", "trunk", "build")] == ["passed", "passed"]
    assert told.lane("greet", "trunk", "deploy") == []
    assert told.authors(name) == ["a@example.org", "b@example.org"]
    assert told.authors("nobody") == []


def test_private_jobs(told: Journal) -> None:
    told.see([found()])
    told.advance(found().source, "private")
    assert told.private_jobs() == ["trunk/greet/build"]
    told.reopen("trunk/greet/build")
    assert told.states() == {"seen": 1}


def test_what_the_store_has_is_adopted(told: Journal) -> None:
    assert told.is_new
    told.adopt([(a_build(), "0" * 64)])
    assert not told.is_new
    assert told.knows(a_build().id)
    assert told.states() == {"bundled": 1}


def test_all_of_the_store_is_adopted_or_nothing(told: Journal) -> None:
    def cut_short() -> Iterator[tuple[Build, str]]:
        yield a_build(number=1), "1" * 64
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        told.adopt(cut_short())
    assert told.is_new
