"""The comparison of each build with the last good one and the previous one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import html

from lab.results.build_environment import BuildEnvironment
from lab.results.cases import Case
from reports.model import Build, Commit, StepSummary
from reports.site import Identity, build
from tests.reports.publications import a_build
from tests.reports.site.conftest import WORLD
from tests.reports.site.crawl import tree_of
from tests.reports.site.test_update import changing
from tests.reports.site.worlds import InMemory


def bad_tests(one: Build) -> set[str]:
    return {case.id for case in one.cases if case.outcome == "failed"}


@pytest.mark.integration
def test_comparisons_agree_with_builds(built: Path) -> None:
    component, track = "nova", "trunk-noble"
    line = [one for path in WORLD if (one := WORLD.read(path).build).component == component and one.track == track]
    pages = {}
    for path in (built / "current/api/v1/d").glob("*/*.json"):
        page = json.loads(path.read_text())
        if (page["component"], page["track"]) == (component, track):
            pages[page["build"]["number"]] = page
    assert sorted(pages) == [one.number for one in line]
    assert pages[line[0].number]["comparisons"] == []
    checked = 0
    for place, one in enumerate(line[1:], 1):
        good = next((n for n in range(place - 1, -1, -1) if line[n].verdict == "passed"), None)
        titles = {good: "last good build"} if good is not None else {}
        shown = {part["other"]["number"]: part for part in pages[one.number]["comparisons"]}
        assert set(shown) == {line[n].number for n in {*titles, place - 1}}
        for n in {*titles, place - 1}:
            part, other = shown[line[n].number], line[n]
            assert ("last good build" in part["titles"], "previous build" in part["titles"]) == (
                n == good,
                n == place - 1,
            )
            assert {it["test"]["id"] for it in part["broke"]} == (
                bad_tests(one) - bad_tests(other) if other.cases else set()
            )
            assert {it["test"]["id"] for it in part["fixed"]} <= bad_tests(other) - bad_tests(one)
            commits = {commit.id for between in line[n + 1 : place + 1] for commit in between.commits}
            assert (part["commit_count"], {it["id"] for it in part["commits"]}) == (len(commits), commits)
            changed = {it["what"]: (it["before"], it["after"]) for it in part["versions"]}
            name = f"python3-{component}"
            both = bool(one.packages and other.packages)
            assert part["has_versions"] == both
            assert changed == ({name: (other.packages[name], one.packages[name])} if both else {})
            checked += 1
    assert checked > 20


@pytest.mark.integration
def test_build_links_to_its_comparison(built: Path) -> None:
    for path in list(built.glob("editions/*/builds/*/*/index.html"))[:5]:
        (link,) = html.fromstring(path.read_bytes()).xpath("//a[starts-with(text(), 'Compare')]/@href")
        assert (built / "current" / link.removeprefix("../../../")).is_file()


def lane_of(letters: str, **fields: list[object]) -> dict[Path, InMemory]:
    """Return bundles of a lane: P passed, F failed with a test, O outage, E error; each field has a value for each build."""
    made = {}
    for number, letter in enumerate(letters, 1):
        bad = {"P": 0, "F": 1, "O": 20, "E": 0}[letter]
        cases = tuple(
            Case(suite="s", classname="c", name=f"t{place}", outcome="failed" if place < bad else "passed")
            for place in range(20)
        )
        one = a_build(
            number=number,
            started=f"2026-01-{number:02}T00:00:00.000Z",
            finished=f"2026-01-{number:02}T01:00:00.000Z",
            verdict={"P": "passed", "E": "error"}.get(letter, "failed"),
            cases=() if letter == "E" else cases,
            commit=f"{number:040x}",
            **{name: values[number - 1] for name, values in fields.items()},
        )
        made[Path("/nowhere", f"{number}.tar.gz")] = InMemory(one, {})
    return made


def newest(out: Path, number: int) -> dict[str, dict[str, object]]:
    """Return the comparisons of a build by their titles."""
    pages = [json.loads(path.read_text()) for path in (out / "current/api/v1/d").glob("*/*.json")]
    (page,) = [page for page in pages if page["build"]["number"] == number]
    return {title: part for part in page["comparisons"] for title in part["titles"]}


@pytest.mark.integration
@pytest.mark.parametrize(
    "letters, good, broke, fixed, outage",
    [
        ("PF", 1, 1, 0, False),
        ("FP", None, 0, 1, False),
        ("PFF", 1, 0, 0, False),
        ("PFEP", 1, 0, 0, False),  # the error says nothing
        ("PO", 1, 0, 0, True),
        ("PFO", 1, 0, 0, True),
    ],
)
def test_last_build_compared_with_previous(  # noqa: PLR0917 - a table's columns
    tmp_path: Path,
    letters: str,
    good: int | None,
    broke: int,
    fixed: int,
    outage: bool,  # noqa: FBT001
) -> None:
    made = lane_of(letters)
    build(made, tmp_path, Identity("lab"), read=made.__getitem__)
    found = newest(tmp_path, len(letters))
    assert (found["last good build"]["other"]["number"] if "last good build" in found else None) == good
    part = found["previous build"]
    assert (part["broke_count"], part["fixed_count"], part["outage"]) == (broke, fixed, outage)


def test_environment_and_versions_that_are_not_recorded(tmp_path: Path) -> None:
    known = BuildEnvironment(packages={"gcc": "12"}, packaging="f" * 40, packaging_content="c", base="b")
    other = known.model_copy(update={"packages": {"gcc": "13"}})
    made = lane_of("PPPP", environment=[known, other, None, None], packages=[{"a": "1"}, {"a": "2"}, {}, {}])
    build(made, tmp_path, Identity("lab"), read=made.__getitem__)
    found = [newest(tmp_path, number)["previous build"] for number in (2, 3, 4)]
    assert [[(it["what"], it["before"], it["after"]) for it in part["environment"]] for part in found] == [
        [("gcc", "12", "13")],
        [("environment", "not recorded", "not recorded")],
        [],
    ]
    assert [part["has_versions"] for part in found] == [True, False, False]


@pytest.mark.integration
def test_late_build_changes_the_comparisons_that_it_is_part_of(tmp_path: Path) -> None:
    made = lane_of("PFPFP")
    paths = list(made)
    build([paths[place] for place in (0, 2, 3, 4)], tmp_path / "a", Identity("lab"), read=made.__getitem__)
    report = build(made, tmp_path / "a", Identity("lab"), read=made.__getitem__)
    build(made, tmp_path / "b", Identity("lab"), read=made.__getitem__)
    assert changing(tree_of(tmp_path / "a/current")) == changing(tree_of(tmp_path / "b/current"))
    written = [path for path in report.written if path.parent.parent.name == "d" and path.suffix == ".html"]
    assert len(written) == 2  # its own, and that of the build after it


@pytest.mark.parametrize("letters, shown", [("PEF", {1: 1, 2: 0}), ("PF", {1: 1}), ("EF", {1: 0})])
def test_test_is_newly_failing_only_where_tests_ran_before(tmp_path: Path, letters: str, shown: dict[int, int]) -> None:
    made = lane_of(letters)
    build(made, tmp_path, Identity("lab"), read=made.__getitem__)
    pages = [json.loads(path.read_text()) for path in (tmp_path / "current/api/v1/d").glob("*/*.json")]
    (page,) = (page for page in pages if page["build"]["number"] == len(letters))
    assert {one["other"]["number"]: one["broke_count"] for one in page["comparisons"]} == shown
    text = (tmp_path / "current" / page["path"]).read_text()
    assert ("no test ran" in text) == (0 in shown.values())


@pytest.mark.parametrize(
    "fields, count, reasons",
    [
        ({}, 2, []),
        ({"unlisted": 3}, 5, ["3 commits that no list names"]),
        ({"rewritten": True}, 2, ["the upstream history was rewritten: commits of before are gone"]),
        (
            {"since": "f" * 40},
            2,
            ["the list of commits is incomplete: it lacks those of builds that are not published"],
        ),
    ],
)
def test_why_the_commits_can_be_others_is_no_change_of_the_environment(
    tmp_path: Path, fields: dict[str, object], count: int, reasons: list[str]
) -> None:
    (first, one), (second, other) = lane_of("PF").items()
    commits = tuple(Commit(id=mark * 40, subject=mark) for mark in "ab")
    other = InMemory(other.build.model_copy(update={"commits": commits} | fields), {})
    made = {first: one, second: other}
    build(made, tmp_path, Identity("lab"), read=made.__getitem__)
    part = newest(tmp_path, 2)["previous build"]
    assert (part["commit_count"], part["environment"]) == (count, [])
    assert [it["what"] for it in part["reasons"]] == reasons
    page = next(
        path.read_text() for path in (tmp_path / "current/d").glob("*/*.html") if "previous" in path.read_text()
    )
    assert [reason in page for reason in reasons] == [True] * len(reasons)


def test_tag_of_lintian_that_is_gone_is_fixed(tmp_path: Path) -> None:
    tag = Case(suite="lintian", classname="greet", name="no-copyright-file", outcome="failed")
    made = {}
    for (path, one), verdict in zip(lane_of("FP").items(), ("unstable", "passed"), strict=True):
        steps = (StepSummary(step="lintian", verdict=verdict),)
        more = {"steps": steps, "verdict": verdict, "cases": (tag,) if verdict == "unstable" else one.build.cases}
        made[path] = InMemory(one.build.model_copy(update=more), {})
    build(made, tmp_path, Identity("lab"), read=made.__getitem__)
    part = newest(tmp_path, 2)["previous build"]
    assert [it["test"]["id"] for it in part["fixed"]] == ["lintian/greet/no-copyright-file"]
