"""Every template, with everything that may be empty empty, alone and in any mixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from reports.model import Build, Case, Commit, File, FrozenModel, Log, StepSummary
from reports.site import Identity, build
from reports.site.render import HERE, Renderer
from tests.reports.site.crawl import crawl
from tests.reports.site.worlds import InMemory, World

T = TypeVar("T", bound=FrozenModel)
WORLD = World(32, components=2, tracks=2, tests=90, lines=3)
# What no build is without.
KEPT = {"schema_version", "origin", "job", "number", "started", "finished", "component", "track", "verdict", "outcome",
        "phase", "path", "sha256", "step", "name"}  # fmt: skip
EMPTY: Mapping[type, Any] = {str: "", int: 0, float: 0.0, bool: False, tuple: (), dict: {}}
NOT_PAGES = {"base.html", "macros.html", "cases.html"}  # which pages are made of


def emptied(told: T, rng: Random, share: float) -> T:
    """``told`` with some of its fields empty, in its parts too."""
    changed: dict[str, Any] = {}
    for name, value in told:
        if name not in KEPT and rng.random() < share:
            changed[name] = EMPTY[type(value)]
        elif isinstance(value, tuple) and value and isinstance(value[0], FrozenModel):
            changed[name] = tuple(emptied(part, rng, share) for part in value)
    return told.model_copy(update=changed)


@dataclass(frozen=True)
class Emptied:
    """A world whose builds lack things."""

    world: World
    share: float
    seed: int

    def read(self, path: Path) -> InMemory:
        found = self.world.read(path)
        made = emptied(found.build, Random(f"{self.seed} {path.name}"), self.share)
        return InMemory(made, found.logs)


def rendered(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The templates that are rendered from here on."""
    seen: set[str] = set()
    render = Renderer.render

    def noted(self: Renderer, template: str, path: str, **data: Any) -> bytes:
        seen.add(template)
        return render(self, template, path, **data)

    monkeypatch.setattr(Renderer, "render", noted)
    return seen


@pytest.mark.parametrize(
    "site, share, seed",
    [
        (Identity("lab"), 0.15, 1),
        (Identity("lab", "what for", "https://qa.lab.example/"), 0.5, 2),
        (Identity("lab"), 1.0, 3),
    ],
)
def test_every_template_with_empty_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Identity, share: float, seed: int
) -> None:
    seen = rendered(monkeypatch)
    report = build(WORLD, tmp_path, site, read=Emptied(WORLD, share, seed).read)
    assert (report.added, report.left_out, report.stale) == (WORLD.count, {}, {})
    assert [one for one in crawl(tmp_path / "current").problems if "qa.lab.example" not in one] == []
    there = {path.name.removesuffix(".j2") for path in (HERE / "templates").iterdir()} - NOT_PAGES
    assert share == 1.0 or seen == there  # of builds of nothing there are no pages of commits, logs and tests


def failed(number: int, **fields: str) -> Case:
    return Case(suite="s", classname="c", name=f"t{number}", outcome="failed", **fields)


CASES: list[tuple[str, dict[str, Any]]] = [
    ("a failure that says nothing", {"cases": (failed(1),)}),
    ("a message and no evidence", {"cases": (failed(1, message="boom"),)}),
    ("an error without evidence", {"cases": (Case(suite="", classname="", name="n", outcome="error"),)}),
    ("no names at all", {"cases": (Case(suite="", classname="", name="", outcome="failed"),)}),
    ("200 that say little", {"cases": tuple(failed(n, evidence="x" * 200) for n in range(200))}),
    ("200 that say nothing", {"cases": tuple(failed(n) for n in range(200))}),
    ("five long ones", {"cases": tuple(failed(n, evidence="line\n" * 800) for n in range(5))}),
    ("commits without words", {"commits": (Commit(id="", subject=""), Commit(id="", subject=""))}),
    ("no commit", {"commit": "", "commits": ()}),
    ("a step without a log", {"steps": (StepSummary(step="sbuild", verdict="failed"),), "step": "sbuild", "logs": ()}),
    ("an empty log", {"logs": (Log(name="", path="logs/snapshot.log", size=0, lines=0),)}),
    ("a file of nothing", {"files": (File(name="", sha256="", size=0, kind=""),)}),
    ("nothing", {"cases": (), "commits": (), "steps": (), "logs": (), "files": (), "commit": "", "version": ""}),
]  # fmt: skip


@pytest.mark.parametrize("what, fields", CASES, ids=[what for what, _ in CASES])
@pytest.mark.parametrize("verdict", ["failed", "passed"])
def test_a_build_that_lacks_something(tmp_path: Path, what: str, fields: dict[str, Any], verdict: str) -> None:
    plain = WORLD.read(WORLD.path(0))
    made: Build = plain.build.model_copy(update={**fields, "verdict": verdict})
    report = build([WORLD.path(0)], tmp_path, Identity("lab"), read=lambda _: InMemory(made, plain.logs))
    assert (report.added, report.left_out, report.stale) == (1, {}, {}), what
    (page,) = tmp_path.glob("editions/*/builds/*/*/index.html")
    cards = page.read_text().count('<article class="card bad">')
    bad = [case for case in made.cases if case.outcome in {"failed", "error"}]
    assert cards >= min(len(bad), 5)
