"""Lists that are too long for one page: paged, and never cut without a word."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest
from lxml import html

from lab.base.errors import Verdict
from lab.config.known_failures import KnownFailure
from lab.results.cases import Case
from reports.model import Build, Commit, File, StepSummary
from reports.site import Identity, build, overview, standings
from tests.reports.publications import a_build
from tests.reports.site.crawl import crawl, tree_of
from tests.reports.site.test_templates import recorded_templates
from tests.reports.site.test_update import changing
from tests.reports.site.worlds import InMemory

TESTS = 40
ALL = range(TESTS)


def made(number: int, bad: int, component: str = "greet") -> Build:
    """Return a build of 40 tests, of which the first ones fail."""
    return a_build(
        component=component,
        job=f"trunk/{component}/build",
        number=number,
        started=f"2026-01-{number:02}T00:00:00.000Z",
        finished=f"2026-01-{number:02}T01:00:00.000Z",
        verdict="unstable" if bad else "passed",
        step="lintian" if bad else "",
        cases=tuple(
            Case(suite="s", classname="c", name=f"t{place:02}", outcome="failed" if place < bad else "passed")
            for place in ALL
        ),
    )


def breaking(count: int, component: str = "greet") -> list[Build]:
    """Return builds each of which breaks one more test."""
    return [made(number + 1, number, component) for number in range(count + 1)]


def bundles(*builds: Build) -> dict[Path, InMemory]:
    return {Path("/nowhere", f"{place}.tar.gz"): InMemory(one, {}) for place, one in enumerate(builds)}


def shown(out: Path, pattern: str) -> list[str]:
    """Return the tests in the tables of some pages."""
    places = sorted((out / "current").glob(pattern), key=lambda path: (path.name != "index.html", path.name))
    return [
        "".join(name.text_content().split())
        for path in places
        for name in html.fromstring(path.read_bytes()).xpath("//table[starts-with(@class, 'stack')]/tbody/tr/th/a[1]")
    ]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "FLAKY", 4)
    monkeypatch.setattr(overview, "BROKEN", 3)


@pytest.mark.integration
def test_flaky_tests_are_paged_and_pages_go(tmp_path: Path) -> None:
    flips = [made(number, 10 if number % 3 == 0 else 0) for number in range(1, 13)]  # 10 flaky tests
    # Only t00 to t02 stay in the suite: the others leave the list.
    later = (made(number, 0) for number in range(13, 19))
    short = [one.model_copy(update={"cases": one.cases[:3]}) for one in later]
    site, names = Identity("lab"), []
    for count in (12, 15):
        all_bundles = bundles(*[*flips, *short][:count])
        build(all_bundles, tmp_path / "a", site, read=all_bundles.__getitem__)
        build(all_bundles, tmp_path / str(count), site, read=all_bundles.__getitem__)
        assert changing(tree_of(tmp_path / "a/current")) == changing(tree_of(tmp_path / f"{count}/current"))
        names.append((shown(tmp_path / "a", "flaky/*.html"), len(list((tmp_path / "a/current/flaky").iterdir()))))
        assert crawl(tmp_path / "a/current").problems == []
    assert names == [([f"s/c/t{place:02}" for place in range(10)], 3), (["s/c/t00", "s/c/t01", "s/c/t02"], 1)]
    # The two older generations forget the pages, too.
    for count in (16, 17, 18):
        all_bundles = bundles(*[*flips, *short][:count])
        build(all_bundles, tmp_path / "a", site, read=all_bundles.__getitem__)
    assert [len(list(place.iterdir())) for place in sorted((tmp_path / "a/slots").glob("*/flaky"))] == [1, 1, 1]


@pytest.mark.integration
def test_breakages_of_home_continue_on_further_pages(tmp_path: Path) -> None:
    broken = bundles(*breaking(4, "a"), *breaking(4, "b"))
    build(broken, tmp_path, Identity("lab"), read=broken.__getitem__)
    assert len(shown(tmp_path, "index.html")) == 3
    assert len(shown(tmp_path, "broken/*.html")) == 5
    assert crawl(tmp_path / "current").problems == []
    fixed = broken | {
        Path("/nowhere/99.tar.gz"): InMemory(made(6, 0, "a"), {}),
        Path("/nowhere/98.tar.gz"): InMemory(made(6, 0, "b"), {}),
    }
    build(fixed, tmp_path, Identity("lab"), read=fixed.__getitem__)
    assert list((tmp_path / "current/broken").glob("*")) == []
    assert crawl(tmp_path / "current").problems == []


@pytest.mark.parametrize("bad, cut", [(10, []), (11, ["greet on trunk, build 12: 11 breakages, 10 in the list"])])
def test_home_says_of_which_phases_it_lists_the_first_breakages_only(tmp_path: Path, bad: int, cut: list[str]) -> None:
    broken = bundles(*breaking(bad))
    build(broken, tmp_path, Identity("lab"), read=broken.__getitem__)
    home = html.fromstring((tmp_path / "current/index.html").read_bytes())
    found = home.xpath("//ul[@class='plain']/li[@data-state='broken']")
    assert [" ".join(line.text_content().split()) for line in found] == cut


@pytest.mark.parametrize("bad, known, told", [
    (2, "", [("s/c/t00", "1 more test", 1)]),
    (15, "", [("s/c/t00", "14 more tests", 5)]),
    (3, "s/c/t01", [("s/c/t00", "1 more test", 1), ("s/c/t01", "", 0)]),
    (3, "s/c/*", [("s/c/t00", "2 more tests", 2)]),
])  # fmt: skip
def test_tests_that_broke_together_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: int, known: str, told: list[tuple[str, str, int]]
) -> None:
    monkeypatch.setattr(standings, "TOGETHER", 5)
    bugs = (
        (KnownFailure(test=known, reason="r", bug="https://bugs.example/1", until=date(2030, 1, 1)),) if known else ()
    )
    # Without a commit of its own, a run that differs makes the test flaky.
    runs = (made(1, 0), made(2, bad))
    given = bundles(*(one.model_copy(update={"commit": f"{one.number:040x}"}) for one in runs))
    build(given, tmp_path, Identity("lab", known=bugs), read=given.__getitem__)
    rows = html.fromstring((tmp_path / "current/index.html").read_bytes()).xpath("//tr[@data-author]/th")
    assert [
        ("".join(row.xpath("a[1]")[0].text_content().split()), "".join(row.xpath("a[@class='small']/text()")))
        for row in rows
    ] == [(test, text) for test, text, _ in told]
    card = html.fromstring((tmp_path / "current/p/greet/trunk/index.html").read_bytes())
    assert [len(found.xpath(".//li/a")) for found in card.xpath("//article//details")] == [
        count for *_, count in told if count
    ]
    assert [one for one in crawl(tmp_path / "current").problems if "bugs.example" not in one] == []


@pytest.mark.integration
def test_feed_keeps_its_identity_when_the_site_gets_an_address(tmp_path: Path) -> None:
    given = bundles(made(1, 3))
    ids = []
    for url in ("", "https://qa.lab.example/"):
        build(given, tmp_path, Identity("lab", url=url), read=given.__getitem__)
        feeds = [(tmp_path / "current" / name).read_text() for name in ("feed.atom", "p/greet/feed.atom")]
        assert all("no good result on record" in feed for feed in feeds)
        ids.append([re.findall("<id>(urn:uuid:[^<]*)</id>", feed)[0] for feed in feeds])
    assert ids[0] == ids[1]
    assert len({*ids[0]}) == 2


@pytest.mark.parametrize("outcome, state, said", [
    ("passed", "fixed", "is fixed"),
    ("skipped", "passes without", "was broken and has no result in a build that passed"),
    ("", "passes without", "was broken and has no result in a build that passed"),
])  # fmt: skip
def test_broken_test_that_did_not_run_is_not_fixed(tmp_path: Path, outcome: str, state: str, said: str) -> None:
    (case, *rest) = made(3, 0).cases
    cases = (case.model_copy(update={"outcome": outcome}), *rest) if outcome else tuple(rest)
    runs = (made(1, 0), made(2, 1), made(3, 0).model_copy(update={"cases": cases}))
    # Without a commit of its own, a run that differs makes the test flaky.
    given = bundles(*(one.model_copy(update={"commit": f"{one.number:040x}"}) for one in runs))
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    home = html.fromstring((tmp_path / "current/index.html").read_bytes())
    first = home.xpath("//li[@data-component='greet'][@data-tracks]")[0]
    assert state in " ".join(first.text_content().split())
    assert said in (tmp_path / "current/feed.atom").read_text()


@pytest.mark.parametrize(
    "failing, commits, told",
    [
        (1, True, ["is fixed", "broke", "first bad commit: 0000000000."]),
        (3, True, ["and 2 more are fixed", "and 2 more broke", "first bad commit: 0000000000."]),
        (21, True, ["most tests are fixed", "most tests broke", "first bad commit: 0000000000."]),
        (1, False, ["is fixed", "broke", ""]),
    ],
)
def test_feed_says_how_many_and_no_commit_that_is_unknown(
    tmp_path: Path, failing: int, told: list[str], *, commits: bool
) -> None:
    runs = (made(1, 0), made(2, failing), made(3, 0))
    given = bundles(*(one.model_copy(update={"commit": f"{one.number:040x}" * commits}) for one in runs))
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    feed = (tmp_path / "current/feed.atom").read_text()
    titles = re.findall("<title>greet on trunk: (.*)</title>", feed)
    assert [title.endswith(end) for title, end in zip(titles, told, strict=False)] == [True, True]
    assert (told[2] in feed, "commit: ;" in feed, "commit: ." in feed) == (True, False, False)
    assert ("first bad commit" in feed) == commits


def test_fixes_are_counted_without_the_tests_that_did_not_run(tmp_path: Path) -> None:
    last = made(3, 0)
    runs = (made(1, 0), made(2, 5), last.model_copy(update={"cases": last.cases[3:]}))  # three of five have no result
    given = bundles(*(one.model_copy(update={"commit": f"{one.number:040x}"}) for one in runs))
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    lately = json.loads((tmp_path / "current/api/v1/index.json").read_text())["lately"]
    told = sorted((one["change"], one["count"], one["name"]) for one in lately)
    assert told == [("broke", 5, "s/c/t00"), ("mended", 2, "s/c/t03"), ("passes without", 3, "s/c/t00")]


def test_broken_test_that_is_removed_while_another_fails_has_an_end(tmp_path: Path) -> None:
    broken = made(1, 1).cases
    other = (broken[1].model_copy(update={"outcome": "failed", "message": "no"}), *broken[2:])
    runs = (
        made(1, 0),
        made(2, 1),
        *(made(number, 0).model_copy(update={"cases": other, "verdict": "failed"}) for number in (3, 4, 5)),
    )
    given = bundles(*(one.model_copy(update={"commit": f"{one.number:040x}"}) for one in runs))
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    lately = json.loads((tmp_path / "current/api/v1/index.json").read_text())["lately"]
    told = [(one["build"]["number"], one["change"], one["name"]) for one in lately]
    assert told == [(5, "no longer run", "s/c/t00"), (3, "broke", "s/c/t01"), (2, "broke", "s/c/t00")]
    assert "c/t00 was broken and is no longer run" in (tmp_path / "current/feed.atom").read_text()


def test_broken_step_that_is_skipped_while_a_test_fails_has_an_end(tmp_path: Path) -> None:
    """lab.yaml leaves the step out of the phase since, or it has nothing to do any more."""
    verdicts: tuple[Verdict, ...] = ("passed", "failed", "skipped", "skipped", "skipped")
    lintian = Case(suite="trunk.greet", classname="trunk.greet", name="lintian", outcome="passed")
    runs = [
        made(number, number > 1).model_copy(
            update={
                "commit": f"{number:040x}",
                "steps": (StepSummary(step="piuparts", verdict=verdict), StepSummary(step="lintian", verdict="passed")),
                "cases": (lintian, *made(number, number > 1).cases),
            }
        )
        for number, verdict in enumerate(verdicts, 1)
    ]
    given = bundles(*runs)
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    home = json.loads((tmp_path / "current/api/v1/index.json").read_text())
    last = home["lately"][0]
    assert (last["build"]["number"], last["change"], last["name"]) == (5, "no longer run", "piuparts")
    assert [row["part"]["name"] for row in home["broken"]] == ["s/c/t00"]
    assert "step piuparts was broken and is no longer run" in (tmp_path / "current/feed.atom").read_text()


def test_entry_stays_the_same_without_the_good_builds_before(tmp_path: Path) -> None:
    """Their bundles can be deleted, or retracted: then it is not known that it ever passed."""
    runs = [one.model_copy(update={"commit": f"{one.number:040x}"}) for one in (made(1, 0), made(2, 1), made(3, 1))]
    entries = []
    for kept in (runs, runs[1:]):
        given = bundles(*kept)
        build(given, tmp_path, Identity("lab"), read=given.__getitem__)
        entries.append(json.loads((tmp_path / "current/api/v1/index.json").read_text())["lately"])
    assert [[one["change"] for one in found] for found in entries] == [["broke"], ["never passed"]]
    assert len({one["id"] for found in entries for one in found}) == 1


def test_build_says_how_much_is_left_out(tmp_path: Path) -> None:
    one = made(1, 15).model_copy(
        update={
            "commits": tuple(Commit(id=f"{place:040}", subject="s") for place in range(31)),
            "files": tuple(File(name=f"f{place}", sha256="0" * 64, size=1, kind="k") for place in range(61)),
            "notes": tuple(f"n{place}" for place in range(41)),
        }
    )
    given = bundles(one)
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    (page,) = tmp_path.glob("editions/*/builds/*/*/index.html")
    text = " ".join(html.fromstring(page.read_bytes()).text_content().split())
    for words in ("and 11 more commits", "and 11 more files", "and 21 more notes", "5 more failures"):
        assert words in text
    (data,) = tmp_path.glob("editions/*/api/*/*.json")
    found = json.loads(data.read_text())
    assert (found["commit_count"], found["file_count"], found["note_count"]) == (31, 61, 41)


def test_paged_lists_with_empty_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = recorded_templates(monkeypatch)
    bare = [
        one.model_copy(update={"message": "", "commit": "", "version": "", "step": ""})
        for one in (made(number, 30 if number % 3 == 0 else 0) for number in range(1, 14))
    ]
    given = bundles(*bare, *(made(number, number - 13) for number in range(14, 19)))
    report = build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    assert report.stale == {}
    assert {"broken.html", "flaky.html"} <= seen
    (home,) = (tmp_path / "current").glob("index.html")
    assert re.search(r'href="broken/2\.html"', home.read_text())


@pytest.mark.parametrize(
    "stable_runs, backported, told",
    [
        ((0, 1), True, [("broken", ["stable", "trunk"], ["Ada"])]),
        ((0, 1), False, [("broken", ["stable"], ["Bob"]), ("broken", ["trunk"], ["Ada"])]),  # by another commit
        ((1, 1), False, [("never passed", ["stable"], []), ("broken", ["trunk"], ["Ada"])]),
        ((0, 0), False, [("broken", ["trunk"], ["Ada"])]),
    ],
)
def test_same_breakage_of_several_tracks_is_one_row(
    tmp_path: Path, stable_runs: tuple[int, int], told: list[tuple[str, list[str], list[str]]], *, backported: bool
) -> None:
    built = []
    for track, author, runs in (("trunk", "Ada", (0, 1)), ("stable", "Ada" if backported else "Bob", stable_runs)):
        for number, bad in enumerate(runs, 1):
            commit = Commit(id=f"{number}{len(author)}{author}".zfill(40), subject="Change it", author=author)
            changed = {"track": track, "job": f"{track}/greet/build", "commit": commit.id, "commits": (commit,)}
            built.append(made(number + len(track), bad).model_copy(update=changed))
    given = bundles(*built)
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    rows = json.loads((tmp_path / "current/api/v1/index.json").read_text())["broken"]
    found = [(row["state"], [link["track"] for link in row["tracks"]], row["authors"]) for row in rows]
    assert sorted(found, key=str, reverse=True) == sorted(told, key=str, reverse=True)
