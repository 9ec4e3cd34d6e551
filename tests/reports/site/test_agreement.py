"""All pages, feeds, badges and files of the API give one answer about a component, whatever changed since its last build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.results import addresses
from lab.results.cases import Case
from lab.store.records import rfc3339
from reports.model import Commit
from reports.site import Identity, build
from tests.reports.publications import a_build
from tests.reports.site.crawl import crawl, tree_of
from tests.reports.site.worlds import InMemory

pytestmark = pytest.mark.integration
SITE = Identity("lab")
BEGIN = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
Found = Mapping[str, Any]


def bundle_of(day: float, name: str = "", /, *, bad: tuple[str, ...] = (), **changed: Any) -> tuple[Path, InMemory]:
    """Return a build of a day with two tests, of which some are bad; ``name`` is that of its bundle, as far as given."""
    fields: dict[str, Any] = {
        "component": "greet",
        "track": "trunk",
        "phase": "build",
        "number": round(day) + 1,
    } | changed
    job = f"{fields['track']}/{fields['component']}/{fields['phase']}"
    started = BEGIN + timedelta(days=day)
    commit = fields.setdefault("commit", f"{round(day):040x}")
    cases = tuple(
        Case(
            suite="unit",
            classname="m",
            name=test,
            outcome="failed" if test in bad else "passed",
            message="" if test not in bad else "no",
        )
        for test in ("test_a", "test_b")
    )
    made = a_build(
        **{"job": job, "started": rfc3339(started), "finished": rfc3339(started + timedelta(minutes=5)), "cases": cases,
           "verdict": "unstable" if bad else "passed", "commits": (Commit(id=commit, subject=f"Change {commit[-3:]}"),)} | fields
    )  # fmt: skip
    digest = name.ljust(64, "0") if name else hashlib.sha256(f"{job} {day}".encode()).hexdigest()
    return Path("/nowhere", f"{digest}.tar.gz"), InMemory(made, {})


def page(out: Path, path: str) -> Any:
    return json.loads((out / "current/api/v1" / f"{path.rstrip('/') or 'index'}.json").read_text())


def states(out: Path, component: str, track: str = "trunk") -> dict[str, str]:
    """Return what each page says of a component on its only track."""
    home, place = page(out, ""), addresses.lane_path(component, track)
    cells = [cell for row in home["rows"] if row["component"] == component for cell in row["cells"] if cell]
    found = {"home": cells[0]["state"] if cells else "dropped"}
    for name, path in (("component", f"p/{component}/"), ("track", place)):
        found[name] = page(out, path)["state"]
        badge = (out / "current" / path / "badge.svg").read_text()
        found[f"badge of the {name}"] = next(word for word in WORDS if f": {word}<" in badge or f">{word}<" in badge)
        found |= {f"{phase['phase']} on the page of the {name}": phase["state"] for phase in page(out, path)["phases"]}
    return found


WORDS = ("no verdict", "never passed", "passing", "broken", "unknown", "dropped")


def test_component_without_builds_is_unknown_everywhere_once_others_went_on(tmp_path: Path) -> None:
    """The pages of a component change although it has no new build."""
    quiet = [bundle_of(0, bad=("test_a",)), bundle_of(1)]
    for days, expected in ((29, "passing"), (33, "unknown")):
        given = dict([*quiet, *(bundle_of(day, component="busy") for day in range(0, days + 1, 3))])
        build(given, tmp_path, SITE, read=given.__getitem__)
        assert set(states(tmp_path, "greet").values()) == {expected}
        tested = page(tmp_path, addresses.test_path("greet", "trunk", "unit/m/test_a"))
        assert tested["state"] == expected
        assert set(states(tmp_path, "busy").values()) == {"passing"}
    before = tree_of(tmp_path / "current")
    build(given, tmp_path, SITE, read=given.__getitem__, rebuild=True)
    assert tree_of(tmp_path / "current") == before


PLACES = {
    "build": ("greet", "trunk", "build"),
    "test": ("greet", "trunk", "test"),
    "other": ("other", "trunk", "build"),
}


@pytest.mark.parametrize(
    "kept, expected",
    [
        (("build", "test", "other"), {"home": "broken", "build": "passing", "test": "broken"}),
        (("build", "other"), {"home": "passing", "build": "passing", "test": "dropped"}),
        (("test", "other"), {"home": "broken", "build": "dropped", "test": "broken"}),
        (("other",), {"home": "dropped", "build": "dropped", "test": "dropped"}),
        ((), {"home": "broken", "build": "passing", "test": "broken"}),  # lab.yaml is not known
    ],
    ids=["all", "without test", "without build", "without the component", "unknown"],
)
def test_phase_that_lab_yaml_drops_is_not_broken(
    tmp_path: Path, kept: tuple[str, ...], expected: Mapping[str, str]
) -> None:
    given = dict([
        bundle_of(0), bundle_of(1), bundle_of(0.1, phase="test"), bundle_of(1.1, phase="test", bad=("test_a",)),
        bundle_of(1, component="other"),
    ])  # fmt: skip
    build(given, tmp_path, SITE, read=given.__getitem__)
    assert page(tmp_path, "")["broken_count"] == 1
    site = replace(SITE, phases=tuple(PLACES[name] for name in kept))
    build(given, tmp_path, site, read=given.__getitem__)
    found = states(tmp_path, "greet")
    assert found["home"] == found["component"] == found["track"] == found["badge of the component"] == expected["home"]
    for phase in ("build", "test"):
        assert found[f"{phase} on the page of the component"] == expected[phase]
        assert found[f"{phase} on the page of the track"] == expected[phase]
    home = page(tmp_path, "")
    assert (home["broken_count"], len(home["broken"])) == ((1, 1) if expected["test"] == "broken" else (0, 0))
    assert [one["component"] for one in page(tmp_path, "stale/")["lanes"]] == ["greet"] * (
        expected["home"] == "dropped"
    )
    before = tree_of(tmp_path / "current")
    build(given, tmp_path, site, read=given.__getitem__, rebuild=True)
    assert tree_of(tmp_path / "current") == before
    assert crawl(tmp_path / "current").problems == []
    build(given, tmp_path, SITE, read=given.__getitem__)
    assert page(tmp_path, "")["broken_count"] == 1  # it is in lab.yaml again


@pytest.mark.parametrize(
    "changed",
    [
        {"commit": "f" * 40},
        {"component": "other"},
        {"track": "proposed"},
        {"phase": "test"},
        {"bad": ("test_b",)},
        {"bad": ()},
        {"commit": ""},
        {"cases": tuple(Case(suite="unit", classname="m", name=f"test_{n}", outcome="passed") for n in range(200))},
    ],
    ids=["commit", "component", "track", "phase", "another test", "passed", "no commit", "many results"],
)
@pytest.mark.parametrize("is_displaced", [False, True], ids=["larger", "smaller"])
def test_second_bundle_of_a_build_leaves_no_other_trace(
    tmp_path: Path, changed: dict[str, Any], *, is_displaced: bool
) -> None:
    """Two bundles of one build that disagree: the smaller one counts, on every page, in any order."""
    job = {"job": "trunk/greet/build"}
    first = bundle_of(1, "2", bad=("test_a",), **job)
    second = bundle_of(1, "1" if is_displaced else "3", **job | {"bad": ("test_a",)} | changed)
    others = [bundle_of(0, "4"), bundle_of(2, "5", bad=("test_a",))]
    later = bundle_of(3, "6", component="other", commit="f" * 40)
    alone = dict([second if is_displaced else first, *others, later])
    build(alone, tmp_path / "expected", SITE, read=alone.__getitem__)
    given = dict([first, *others])
    for further in (second, later):
        build(given, tmp_path / "found", SITE, read=given.__getitem__)
        given |= dict([further])
    report = build(given, tmp_path / "found", SITE, read=given.__getitem__)
    assert (report.left_out, report.stale) == ({}, {})
    assert tree_of(tmp_path / "found/current") == tree_of(tmp_path / "expected/current")
    assert crawl(tmp_path / "found/current").problems == []
