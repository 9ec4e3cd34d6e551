"""Every template with empty fields, one at a time and in random mixtures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from reports.lab_view import LabView
from reports.model import Build, Case, Commit, File, FrozenModel, Log, StepSummary
from reports.promotions import TrackPromotion, UnpromotedComponent
from reports.site import Identity, build
from reports.site.render import HERE, Renderer
from tests.reports.site.crawl import crawl
from tests.reports.site.worlds import InMemory, World

T = TypeVar("T", bound=FrozenModel)
WORLD = World(32, components=2, tracks=2, tests=90, lines=3)
# Fields that every build has.
KEPT = {"schema_version", "origin", "job", "number", "started", "finished", "component", "track", "verdict", "outcome",
        "phase", "path", "sha256", "step", "name"}  # fmt: skip
PROMOTION = TrackPromotion(
    track="t0",
    label="t0-tested",
    state="t0-1",
    newest="t0-2",
    checked="2026-01-01T00:00:00Z",
    components=(
        UnpromotedComponent(component="c0", before="1", version="2", waits_for="x", reason="y", runs=("r/1",)),
    ),
    open_state="t0-3",
    open_votes=("staging",),
)
EMPTY: Mapping[type, Any] = {str: "", int: 0, float: 0.0, bool: False, tuple: (), dict: {}}
# Shared by pages; of the breakages for which home has no room, see test_lists.
NOT_PAGES = {"base.html", "macros.html", "cases.html", "broken.html"}


def emptied(model: T, rng: Random, share: float) -> T:
    """Return a model with some of its fields empty, also in its parts."""
    changed: dict[str, Any] = {}
    for name, value in model:
        if name not in KEPT and rng.random() < share:
            changed[name] = EMPTY.get(type(value))
        elif isinstance(value, tuple) and value and isinstance(value[0], FrozenModel):
            changed[name] = tuple(emptied(part, rng, share) for part in value)
    return model.model_copy(update=changed)


@dataclass(frozen=True)
class Emptied:
    """A world of builds with empty fields."""

    world: World
    share: float
    seed: int

    def read(self, path: Path) -> InMemory:
        found = self.world.read(path)
        made = emptied(found.build, Random(f"{self.seed} {path.name}"), self.share)
        return InMemory(made, found.logs)


def recorded_templates(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return a set to which each rendered template is added from now on."""
    seen: set[str] = set()
    render = Renderer.render

    def noted(self: Renderer, template: str, path: str, **data: Any) -> bytes:
        seen.add(template)
        return render(self, template, path, **data)

    monkeypatch.setattr(Renderer, "render", noted)
    return seen


@pytest.mark.integration
@pytest.mark.parametrize(
    "site, share, seed",
    [
        (Identity("lab"), 0.15, 1),
        (Identity("lab", "what for", "https://qa.lab.example/"), 0.5, 2),
        (Identity("lab"), 1.0, 3),
    ],
)
def test_every_template_renders_empty_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Identity, share: float, seed: int
) -> None:
    seen = recorded_templates(monkeypatch)
    view = LabView(promotions=(emptied(PROMOTION, Random(seed), share),))
    promoting = replace(site, promotes=True)
    report = build(WORLD, tmp_path, promoting, read=Emptied(WORLD, share, seed).read, view=view)
    assert (report.added, report.left_out, report.stale) == (WORLD.count, {}, {})
    assert [one for one in crawl(tmp_path / "current").problems if "qa.lab.example" not in one] == []
    there = {path.name.removesuffix(".j2") for path in (HERE / "templates").iterdir()} - NOT_PAGES
    assert share == 1.0 or seen == there  # empty builds have no pages of commits, logs and tests


def failed(number: int, **fields: str) -> Case:
    return Case(suite="s", classname="c", name=f"t{number}", outcome="failed", **fields)


CASES: list[tuple[str, dict[str, Any]]] = [
    ("failure without text", {"cases": (failed(1),)}),
    ("message without evidence", {"cases": (failed(1, message="boom"),)}),
    ("error without evidence", {"cases": (Case(suite="", classname="", name="n", outcome="error"),)}),
    ("no names", {"cases": (Case(suite="", classname="", name="", outcome="failed"),)}),
    ("200 short failures", {"cases": tuple(failed(n, evidence="x" * 200) for n in range(200))}),
    ("200 failures without text", {"cases": tuple(failed(n) for n in range(200))}),
    ("5 long failures", {"cases": tuple(failed(n, evidence="line\n" * 800) for n in range(5))}),
    ("commits without text", {"commits": (Commit(id="", subject=""), Commit(id="", subject=""))}),
    ("no commit", {"commit": "", "commits": ()}),
    ("step without log", {"steps": (StepSummary(step="sbuild", verdict="failed"),), "step": "sbuild", "logs": ()}),
    ("empty log", {"logs": (Log(name="", path="logs/snapshot.log", size=0, lines=0),)}),
    ("empty file", {"files": (File(name="", sha256="", size=0, kind=""),)}),
    ("nothing", {"cases": (), "commits": (), "steps": (), "logs": (), "files": (), "commit": "", "version": ""}),
]  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("what, fields", CASES, ids=[what for what, _ in CASES])
@pytest.mark.parametrize("verdict", ["failed", "passed"])
def test_build_with_missing_parts_is_rendered(tmp_path: Path, what: str, fields: dict[str, Any], verdict: str) -> None:
    plain = WORLD.read(WORLD.path(0))
    made: Build = plain.build.model_copy(update={**fields, "verdict": verdict})
    report = build([WORLD.path(0)], tmp_path, Identity("lab"), read=lambda _: InMemory(made, plain.logs))
    assert (report.added, report.left_out, report.stale) == (1, {}, {}), what
    (page,) = tmp_path.glob("editions/*/builds/*/*/index.html")
    cards = page.read_text().count('<article class="card bad">')
    bad = [case for case in made.cases if case.outcome in {"failed", "error"}]
    assert cards >= min(len(bad), 5)
