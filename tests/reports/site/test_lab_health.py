"""A lab that only errs is not passing: states, and the page of the lab's health."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import html

from lab.base.errors import Verdict
from lab.results.breakages import CLOSED
from lab.store.records import rfc3339
from reports.model import Build, StepSummary
from reports.outcomes import digest
from reports.site import Identity, build
from reports.site.lane_history import History
from reports.site.lane_models import Lane
from reports.site.lanes import lane
from reports.site.overview import health, home
from reports.site.render import renderer
from reports.site.summary import summarise
from tests.reports.publications import a_build
from tests.reports.site.worlds import InMemory

WORDS: dict[str, Verdict] = {"P": "passed", "F": "failed", "E": "error", "A": "aborted", "S": "skipped", "C": "skipped"}
MESSAGES = {"E": "no mirror", "C": f"{CLOSED}greet 1.0-3 was withdrawn"}
SITE = Identity("lab")


def builds(letters: str, component: str = "greet", hours: float = 1.0) -> list[Build]:
    """Return a build for each letter, ``hours`` apart."""
    made = []
    for number, letter in enumerate(letters):
        started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number * hours)
        verdict = WORDS[letter]
        step = StepSummary(step="sbuild", verdict=verdict, message=MESSAGES.get(letter, ""))
        made.append(
            a_build(
                component=component,
                job=f"trunk/{component}/build",
                number=number + 1,
                verdict=verdict,
                step="" if letter in "PSC" else "sbuild",
                message=MESSAGES.get(letter, ""),
                started=rfc3339(started),
                finished=rfc3339(started + timedelta(minutes=5)),
                commit=f"{number:040x}",
                steps=(StepSummary(step="source", verdict="passed"), step),
            )
        )
    return made


def lane_of(
    letters: str, component: str = "greet", hours: float = 1.0, newest: str = "", site: Identity = SITE
) -> Lane:
    summaries = tuple(summarise(one)[0] for one in builds(letters, component, hours))
    return lane(History(summaries, {digest([]): frozenset[str]()}.__getitem__, newest=newest, site=site))


@pytest.mark.parametrize(
    "letters, hours, expected",
    [
        ("PPPPP", 1, "passing"),
        ("PEEEE", 1, "passing"),
        ("PEEEEE", 1, "unknown"),
        ("PAAAAA", 1, "unknown"),
        ("PESESESESE", 1, "unknown"),  # a skip says nothing about the lab
        ("PSSSSSSSS", 1, "passing"),
        ("PE", 24 * 7, "unknown"),  # seven days without a verdict
        ("PE", 24 * 6, "passing"),
        ("PS", 24 * 7, "passing"),
        ("PEEEEEP", 1, "passing"),
        ("PFEEEEEE", 1, "broken"),  # bad news stay
        ("FEEEEEE", 1, "never passed"),
        ("EEEEEE", 1, "no verdict"),
        ("PFC", 1, "no verdict"),  # what is withdrawn is not broken
        ("PC", 1, "no verdict"),
        ("PFCF", 1, "never passed"),
        ("PFCS", 1, "no verdict"),
        ("FCPF", 1, "broken"),
    ],
)
def test_state_after_errors(letters: str, hours: float, expected: str) -> None:
    found = lane_of(letters, hours=hours)
    assert (found.state, found.phases[0].state) == (expected, expected)
    after = letters[len(letters.rstrip("AES")) :]
    assert found.phases[0].errors == sum(letter in "EA" for letter in after)


@pytest.mark.parametrize("days, expected", [(29, "passing"), (31, "unknown")])
def test_lane_without_builds_is_unknown_after_a_month(days: int, expected: str) -> None:
    busy = lane_of("P" * (days + 1), "busy", hours=24)
    quiet = lane_of("P", "quiet", newest=busy.latest.finished)
    page = home(SITE, [busy, quiet])
    assert [cell.state for row in page.rows for cell in row.cells if cell] == ["passing", expected]
    assert [part.component for part in page.unknown] == ["quiet"] * (expected == "unknown")


def test_age_and_health_are_those_of_each_phase() -> None:
    """A phase that goes on says nothing of one that stopped, and one without a verdict has not passed."""
    days = {"build": "P" * 40, "test": "P", "deploy": "S", "exercise": "E"}
    summaries = []
    for phase, letters in days.items():
        made = builds(letters, hours=24)
        summaries += [
            summarise(one.model_copy(update={"phase": phase, "job": f"trunk/greet/{phase}"}))[0] for one in made
        ]
    summaries.sort(key=lambda one: one.started)
    lanes = [lane(History(tuple(summaries), {digest([]): frozenset[str]()}.__getitem__))]
    page = home(SITE, lanes)
    assert [cell.state for row in page.rows for cell in row.cells if cell] == ["unknown"]
    assert [part.phase for part in page.unknown] == ["test"]
    assert [(one.phase, one.last_verdict) for one in health(lanes).lanes] == [("exercise", "")]


@pytest.mark.parametrize("days, expected", [(29, ""), (31, "2026-01-02T00:05:00.000Z")])
def test_old_breakage_says_when_it_last_failed(days: int, expected: str) -> None:
    broken, busy = lane_of("PF", "broken", hours=24), lane_of("P" * (days + 2), "busy", hours=24)
    (row,) = home(SITE, [busy, broken]).broken
    assert row.last_failed == expected


def test_unknown_begins_with_the_first_error_after_the_last_verdict() -> None:
    (phase,) = lane_of("PPPSEEEEE").phases
    assert phase.since is not None
    assert (phase.state, phase.since.number) == ("unknown", 5)
    busy = lane_of("P" * 40, "busy", hours=24)
    quiet = lane_of("PPP", "quiet", newest=busy.latest.finished)
    (part,) = home(SITE, [busy, quiet]).unknown
    assert (part.component, part.since) == ("quiet", None)


def test_track_page_says_with_what_the_lab_errs(ill: Path) -> None:
    page = html.fromstring((ill / "p/greet/trunk/index.html").read_bytes())
    (card,) = page.xpath("//article")
    text = " ".join(card.text_content().split())
    assert "unknown since 2026-01-01 02:00" in text
    assert "6 errors of the lab since the last verdict: it passed. The newest build: sbuild: no mirror" in text


@pytest.fixture(scope="module")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site of a lab that errs."""
    out = tmp_path_factory.mktemp("ill")
    made = {Path("/nowhere", f"{one.component}{one.number}.tar.gz"): one for one in (*builds("PPEEEEEE"), *builds("PP", "other"))}  # fmt: skip
    report = build(made, out, SITE, read=lambda path: InMemory(made[path], {}))
    assert (report.left_out, report.stale) == ({}, {})
    return out / "current"


def test_home_says_unknown(ill: Path) -> None:
    text = (ill / "index.html").read_text()
    assert "1 phase is unknown." in text
    assert "6 errors in a row" in text
    assert "Nothing is broken" not in text
    assert "greet on trunk: unknown" in (ill / "p/greet/trunk/badge.svg").read_text()


def test_health_page_has_rates_and_lanes(ill: Path) -> None:
    page = json.loads((ill / "api/v1/health.json").read_text())
    assert page["steps"] == [
        {"name": "sbuild", "runs": 10, "errors": 6},
        {"name": "source", "runs": 10, "errors": 0},
    ]
    assert page["origins"] == [{"name": "local", "runs": 10, "errors": 6}]
    assert [(one["component"], one["errors"], one["latest"]["message"]) for one in page["lanes"]] == [
        ("greet", 6, "no mirror")
    ]
    text = (ill / "health/index.html").read_text()
    assert "60&nbsp;%" in text
    assert 'data-age datetime="2026-01-01T07:05:00.000Z"' in text


def test_health_page_has_the_chroot_that_each_series_used_last() -> None:
    made = [
        build.model_copy(update={"series": series, "chroot_days": days})
        for series, component, ages in (("trixie", "greet", (1.0, 2.0, None)), ("trixie", "meet", (9.0,)), ("noble", "other", (None,)))
        for build, days in zip(builds("P" * len(ages), component), ages, strict=True)
    ]  # fmt: skip
    lanes = [
        lane(History(tuple(summarise(one)[0] for one in made if one.component == component), {digest([]): frozenset[str]()}.__getitem__))
        for component in ("greet", "meet", "other")
    ]  # fmt: skip
    page = health(lanes)
    assert [(one.series, one.days, one.at[:13]) for one in page.chroots] == [("trixie", 2.0, "2026-01-01T01")]
    text = renderer(SITE).render("health.html", "health/", page=page).decode()
    assert '<th scope="row">trixie</th><td class="n">2.0</td>' in text
    assert ("Chroots</h2>" in text, "Mirrors</h2>" in text) == (True, False)


def test_health_page_has_the_age_of_the_mirror() -> None:
    made = [
        build.model_copy(update={"mirror_days": days}) for build, days in zip(builds("PP"), (9.0, 0.26), strict=True)
    ]
    one = lane(History(tuple(summarise(one)[0] for one in made), {digest([]): frozenset[str]()}.__getitem__))
    text = renderer(SITE).render("health.html", "health/", page=health([one])).decode()
    assert "Mirrors</h2>" in text
    assert '<td class="n">0.3</td>' in text
