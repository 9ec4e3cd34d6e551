"""The complete site: links, data, feeds, badges, sizes, and no active content."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from lxml import etree, html

from reports.model import Build, Log, StepSummary
from reports.site import Identity, build
from reports.site.api import KINDS
from reports.site.render import HERE, POLICY
from tests.reports.publications import a_build, a_proposal
from tests.reports.site.conftest import SITE, WORLD
from tests.reports.site.crawl import BASE, crawl, file_of
from tests.reports.site.worlds import InMemory

SCRIPTS = {path.name for path in (HERE / "static").glob("*.js")}
ATOM = {"a": "http://www.w3.org/2005/Atom"}


def data(out: Path, page: str) -> dict[str, object]:
    return json.loads((out / "current/api/v1" / f"{page}.json").read_text())


def all_json(out: Path) -> list[Path]:
    places = [out / "current/api/v1", *out.glob("editions/*/api")]
    return [path for place in places for path in place.rglob("*.json") if "schemas" not in path.parts]


@pytest.mark.integration
def test_links_resolve_and_reach_every_page(built: Path) -> None:
    found = crawl(built / "current")
    feeds = [problem for problem in found.problems if SITE.url not in problem]
    assert feeds == []
    there = {path.relative_to(built / "current") for path in (built / "current").rglob("*.html")}
    seen = {file_of(built / "current", url).relative_to(built / "current") for url in found.seen}
    assert there <= seen
    assert sum(url.startswith(f"{BASE}b/") and url.endswith("/") for url in found.seen) == WORLD.count


@pytest.mark.integration
def test_every_page_has_data_that_matches_its_schema(built: Path) -> None:
    kinds = set()
    for path in all_json(built):
        page = json.loads(path.read_text())
        model = KINDS[page["kind"]]
        assert model.model_validate_json(path.read_bytes()).model_dump_json().encode() == path.read_bytes()
        kinds.add(page["kind"])
    assert kinds == set(KINDS) - {
        "broken",
        "promotion",
        "promotions",
        "bisection",
        "bisections",
    }  # see test_lists, tests.reports.test_promotions and tests.reports.test_bisections
    for kind, model in KINDS.items():
        assert data(built, f"schemas/{kind}") == model.model_json_schema()
    pages = {
        path.parent.relative_to(built / "current").as_posix() for path in built.glob("current/[pct]/**/index.html")
    }
    assert pages
    assert all((built / "current/api/v1" / f"{page}.json").is_file() for page in pages)


def test_home_shows_breakages_with_since_and_suspects(built: Path) -> None:
    home = data(built, "index")
    page = html.fromstring((built / "current/index.html").read_bytes())
    lines = page.xpath("//table[contains(@class, 'breakages')]/tbody/tr")
    assert len(lines) == len(home["broken"]) == home["breakage_count"] > 2
    for line, row in zip(lines, home["broken"], strict=True):
        text, one = " ".join(line.text_content().split()), row["part"]
        assert one["name"] in text
        assert row["component"] in text
        assert all(link["track"] in text for link in row["tracks"])
        assert one["since"]["started"][:10] in text
        assert ("flaky" in text) == one["flaky"]
        filtered = [line.get(f"data-{name}") for name in ("component", "tracks", "state", "author")]
        state = f"{row['state']}{'|flaky' * one['flaky']}"
        tracks, authors = "|".join(link["track"] for link in row["tracks"]), "|".join(row["authors"])
        assert filtered == [row["component"], tracks, state, authors]
        assert one["suspect_count"] == 0 or row["authors"]
        if one["good"] and one["suspect_count"] > 1:
            assert f"{one['good']['commit'][:10]}..{one['since']['commit'][:10]}" in text
        elif one["good"]:
            suspect = one["suspects"][0]
            assert suspect["subject"] in text
            assert (suspect["author"] in text) == (not one["change_count"])  # nobody is named where more changed
        if one["good"]:
            assert ("possible reason" in text) == bool(one["change_count"])
    since = [row["part"]["since"]["started"] for row in home["broken"] if not row["part"]["flaky"]]
    assert since == sorted(since, reverse=True)
    cells = page.xpath("//table[@class='matrix']//td/a")
    assert len(cells) == len(WORLD.lanes)
    for cell in cells:  # a sign, a word and a colour
        sign, word = cell.text_content().split(" ", 1)
        assert (sign, cell.get("class")) == {
            "passing": ("✓", "pill good"), "broken": ("✗", "pill bad"), "never passed": ("⊘", "pill bad"),
        }[word]  # fmt: skip


def test_card_says_broken_by_only_where_nothing_else_changed(built: Path) -> None:
    found = set()
    for row in data(built, "index")["broken"]:
        path = row["tracks"][0]["path"]
        for one in data(built, path.rstrip("/"))["phases"]:
            if not one["breakages"] or not (first := one["breakages"][0])["good"]:
                continue
            page = html.fromstring((built / f"current/{path}index.html").read_bytes())
            text = " ".join(" ".join(card.text_content() for card in page.xpath("//article")).split())
            only, author = not first["change_count"], first["suspects"][0]["author"]
            commits = "1 commit" if first["suspect_count"] == 1 else f"one of {first['suspect_count']} commits"
            assert (f"Broken by {commits} in" in text, "suspect commit" in text) == (only, not only)
            assert ("libc6 2.36-" in text, author in text) == (not only, only)
            found.add(only)
    assert found == {True, False}


@pytest.mark.integration
def test_first_bad_range_follows_last_good_build_of_each_test(built: Path) -> None:
    builds = [WORLD.read(path).build for path in WORLD]
    lanes = [data(built, path.relative_to(built / "current/api/v1").with_suffix("").as_posix())
             for path in (built / "current/api/v1/p").glob("*/*.json")]  # fmt: skip
    checked = 0
    for one in (phase for lane in lanes for phase in lane["phases"]):
        line = [item for item in builds if (item.component, item.track) == (one["component"], one["track"])]
        for part in one["breakages"]:
            if part["kind"] != "test" or part["flaky"]:
                continue
            outcomes = [next((case.outcome for case in item.cases if case.id == part["name"]), "") for item in line]
            since = next(n for n, item in enumerate(line) if item.number == part["since"]["number"])
            before = [n for n in range(since) if outcomes[n] == "passed"]
            assert outcomes[since] == "failed"
            assert "passed" not in outcomes[since:]
            assert bool(part["good"]) == bool(before)
            if before:
                assert part["good"]["number"] == line[before[-1]].number
                commits = {commit.id for item in line[before[-1] + 1 : since + 1] for commit in item.commits}
                assert part["suspect_count"] == len(commits)
                assert {commit["id"] for commit in part["suspects"]} <= commits
                checked += 1
    assert checked > 2


@pytest.mark.integration
def test_feeds_are_valid_atom_with_changes_only(built: Path) -> None:
    feeds = list(built.glob("current/**/feed.atom"))
    assert len(feeds) == 1 + WORLD.components + len(WORLD.lanes)
    for path in feeds:
        feed = etree.fromstring(path.read_bytes())
        for element in (feed, *feed.findall("a:entry", ATOM)):
            assert all(len(element.findall(f"a:{name}", ATOM)) == 1 for name in ("id", "title", "updated"))
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", element.findtext("a:updated", None, ATOM))
        ids = [entry.findtext("a:id", None, ATOM) for entry in feed.findall("a:entry", ATOM)]
        assert len(ids) == len(set(ids))
        links = [link.get("href") for link in feed.findall("a:entry/a:link", ATOM)]
        assert all((built / "current" / link.removeprefix(SITE.url)).is_dir() for link in links)
    lane = data(built, "p/nova/trunk-trixie")
    assert [phase["state"] for phase in lane["phases"]] == [lane["state"]]
    verdicts = [WORLD.read(path).build.verdict for path in WORLD if "nova" in WORLD.read(path).build.job]
    assert 0 < len(etree.parse(built / "current/p/nova/feed.atom").findall(".//a:entry", ATOM)) < len(verdicts) / 2


def test_badges_name_state(built: Path) -> None:
    badges = list(built.glob("current/**/badge.svg"))
    assert len(badges) == WORLD.components + len(WORLD.lanes)
    for path in badges:
        title = etree.parse(path).find(".//{http://www.w3.org/2000/svg}title").text
        state = data(built, path.parent.relative_to(built / "current").as_posix())["state"]
        assert title.endswith(f": {state}")


def test_pages_are_small(built: Path) -> None:
    assert (built / "current/index.html").stat().st_size <= 100_000
    builds = list(built.glob("editions/*/builds/*/*/index.html"))
    assert len(builds) == WORLD.count
    assert max(path.stat().st_size for path in builds) <= 50_000
    for name in ("site.css", *SCRIPTS):
        assert (built / "current/static" / name).stat().st_size <= 12_000


@pytest.mark.integration
def test_every_page_says_how_old_the_newest_build_is(built: Path) -> None:
    for path in [*built.glob("current/**/*.html"), *built.glob("editions/*/builds/*/*/*.html")]:
        sources = html.fromstring(path.read_bytes()).xpath("//script/@src")
        assert [Path(source).name.partition("?")[0] for source in sources[:2]] == ["newest.js", "site.js"], path
    script = (built / "current/newest.js").read_text()
    assert f'time.dateTime = "{data(built, "index")["newest"]}";' in script


def test_site_without_builds_has_no_age(tmp_path: Path) -> None:
    build([], tmp_path, Identity("openstack"))
    assert "document" not in (tmp_path / "current/newest.js").read_text()


@pytest.mark.integration
def test_pages_have_policy_and_no_inline_code(built: Path) -> None:
    for path in [*built.glob("current/**/*.html"), *built.glob("editions/*/builds/*/*/*.html")]:
        page = html.fromstring(path.read_bytes())
        assert page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content") == [POLICY]
        assert not page.xpath("//style | //@style | //script[not(@src)] | //@*[starts-with(name(), 'on')]")
        assert len(page.xpath("//h1")) == 1
        labels = page.xpath("//section/@aria-label | //nav/@aria-label")
        assert len(labels) == len(set(labels)), path  # landmarks have names of their own


def test_build_shows_the_line_that_its_message_is_from(tmp_path: Path) -> None:
    message = "hello.c:20:25: error: initializer element is not <constant>"
    text = "".join(f"line {number}\n" for number in range(60)) + f"{message}\n" + "more\n" * 60
    found = WORLD.read(WORLD.path(0))
    step = StepSummary(step="sbuild", verdict="failed", message=message, log="sbuild.log")
    logs = (Log(name="sbuild.log", path="logs/sbuild.log", size=0, lines=121),)
    made = found.build.model_copy(
        update={"verdict": "failed", "step": "sbuild", "message": message, "steps": (step,), "logs": logs}
    )
    build([WORLD.path(0)], tmp_path, Identity("lab"), read=lambda _: InMemory(made, {"logs/sbuild.log": text.encode()}))
    (page,) = tmp_path.glob("editions/*/builds/*/*/index.html")
    tree = html.fromstring(page.read_bytes())
    assert tree.xpath("//a[@href='log-1.html#sbuild.log-61']/text()") == ["Line 61 of the log of sbuild"]
    assert any(f"line 59\n{message}\nmore" in text for text in tree.xpath("//pre/text()"))
    assert crawl(tmp_path / "current").problems == []


@pytest.mark.integration
@pytest.mark.parametrize(
    "state, suite", [("trunk-20260102T030405Z-1a2b3c4d", ""), ("", "trunk-trixie"), ("x; reboot", None)]
)
def test_build_has_the_apt_line_of_its_state(tmp_path: Path, state: str, suite: str | None) -> None:
    found = WORLD.read(WORLD.path(0))
    made = found.build.model_copy(update={"archive": state, "packages": {"a1": "1"}})
    site = Identity("lab", archive="https://archive.lab.example")
    build([WORLD.path(0)], tmp_path, site, read=lambda _: InMemory(made, found.logs))
    (page,) = tmp_path.glob("editions/*/builds/*/*/index.html")
    lines = [text for text in html.fromstring(page.read_bytes()).xpath("//pre/text()") if text.startswith("deb ")]
    key = "/etc/apt/keyrings/lab.asc"
    line = f"deb [signed-by={key}] https://archive.lab.example {suite or state} main\napt-get install a1=1"
    assert lines == ([line] if suite is not None else [])


NASTY = '<script>alert(1)</script>"><img src=x onerror=alert(1)>javascript:alert(1){{7*7}}{% raw %}</script>]]>&amp;\x00\x1b[31m\u202e'


def nasty(plain: Build) -> Build:
    """Return a build with hostile content in every free text."""
    fields = dict.fromkeys(("component", "track", "commit", "version", "branch", "message", "series", "phase", "architecture", "origin", "job", "step", "lab"), NASTY)  # fmt: skip
    values = plain.model_dump(by_alias=True) | fields
    values["commits"] = [
        {"id": NASTY, "subject": NASTY, "author": NASTY},
        {"id": "b", "subject": NASTY, "author": NASTY},
    ]
    values["steps"] = [{"step": NASTY, "verdict": "failed", "message": NASTY, "log": NASTY}]
    values["cases"] = [
        dict.fromkeys(("suite", "classname", "message", "evidence", "output", "errors"), NASTY)
        | {"name": f"{NASTY}{number}", "outcome": outcome}
        for number, outcome in enumerate(["failed", "error", "passed", "skipped"])
    ]
    values["logs"] = [{"name": NASTY, "path": "logs/x.log", "size": 1, "lines": 1}]
    values["files"] = [{"name": NASTY, "sha256": NASTY, "size": 1, "kind": NASTY, "path": NASTY}]
    values["notes"] = [NASTY]
    return Build.model_validate(values | {"verdict": "failed"})


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hostile")
    made = nasty(WORLD.read(WORLD.path(0)).build)
    bundle = InMemory(made, {"logs/x.log": NASTY.encode() * 3})
    build([WORLD.path(0)], out, Identity(NASTY, NASTY, ""), read=lambda _path: bundle)
    return out


@pytest.mark.integration
def test_hostile_text_is_escaped(hostile: Path) -> None:
    pages = list(hostile.glob("current/**/*.html")) + list(hostile.glob("editions/*/builds/*/*/*.html"))
    assert len(pages) > 12
    for path in pages:
        page = html.fromstring(path.read_bytes())
        assert not page.xpath("//img | //@*[starts-with(name(), 'on')]")
        assert {Path(src).name.partition("?")[0] for src in page.xpath("//script/@src")} <= {"newest.js", *SCRIPTS}
        assert not page.xpath("//script[not(@src)]")
        assert not [link for link in page.xpath("//@href | //@src") if ":" in link]
        assert not set("\x00\x1b\u202e") & set(path.read_text())
        assert "49" not in page.xpath("string(//h1)")
    assert NASTY[:25] in html.fromstring((hostile / "current/index.html").read_bytes()).text_content()
    for path in [*hostile.glob("current/**/*.atom"), *hostile.glob("current/**/*.svg")]:
        tree = etree.fromstring(path.read_bytes())
        assert not tree.xpath("//*[local-name() = 'script' or local-name() = 'img']")
        assert NASTY[:25] in "".join(tree.itertext())


@pytest.mark.integration
def test_hostile_names_stay_inside_site(hostile: Path) -> None:
    assert crawl(hostile / "current").problems == []
    for path in hostile.rglob("*"):
        assert re.fullmatch(r"\.?[A-Za-z0-9~._+-]+", path.name), path.name


def test_page_of_a_change_under_review_names_the_change(tmp_path: Path) -> None:
    one = InMemory(a_build(proposal=a_proposal(12)), {})
    build([Path("/nowhere/1.tar.gz")], tmp_path, Identity("lab"), read=lambda _: one)
    (page,) = tmp_path.glob("editions/*/builds/*/*/index.html")
    text = " ".join(html.fromstring(page.read_bytes()).text_content().split())
    assert "up/greet 12 at 0000000000, for main: this build neither breaks nor fixes anything" in text


def text_of(path: Path) -> str:
    return " ".join(html.fromstring(path.read_bytes()).text_content().split())


def test_build_without_a_step_says_why_it_ended(tmp_path: Path) -> None:
    """A build of Jenkins without records has no step that explains it."""
    one = InMemory(a_build(verdict="error", step="", message="its agent was lost"), {})
    build([Path("/nowhere/1.tar.gz")], tmp_path, Identity("lab"), read=lambda _: one)
    current = tmp_path / "current"
    pages = (*current.glob("b/*/*/index.html"), *current.glob("c/*/*/index.html"), *current.glob("p/*/*/2*/index.html"))
    assert ["its agent was lost" in text_of(page) for page in pages] == [True] * 3
    card = text_of(current / "p/greet/trunk/index.html")
    assert "1 error of the lab, and no verdict yet. The newest build: error: its agent was lost" in card


def test_track_has_a_column_for_each_step_of_its_builds(tmp_path: Path) -> None:
    """Also for a step that replaced another one since."""
    given = {}
    for number, steps in enumerate((("source", "old", "push"), ("source", "push"), ("source", "new", "push")), 1):
        made = tuple(StepSummary(step=step, verdict="failed" if step == "new" else "passed") for step in steps)
        one = a_build(number=number, started=f"2026-01-0{number}T00:00:00.000Z", commit=f"{number:040x}", steps=made)
        given[Path(f"/nowhere/{number}.tar.gz")] = InMemory(one, {})
    build(given, tmp_path, Identity("lab"), read=given.__getitem__)
    track = data(tmp_path, "p/greet/trunk")
    assert track["steps"] == ["source", "new", "old", "push"]
    assert [cell and cell["verdict"] for cell in track["commits"][0]["cells"]] == ["passed", "failed", None, "passed"]


def test_track_of_changes_under_review_says_why_it_has_no_verdict(tmp_path: Path) -> None:
    one = InMemory(a_build(proposal=a_proposal(12)), {})
    build([Path("/nowhere/1.tar.gz")], tmp_path, Identity("lab"), read=lambda _: one)
    text = text_of(tmp_path / "current/p/greet/trunk/index.html")
    assert "no verdict" in text
    assert "Its builds say nothing about the track: they test changes under review, or older commits." in text
