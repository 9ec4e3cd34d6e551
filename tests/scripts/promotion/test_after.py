"""Uploads and pushes that wait for the promotion of their version, with real repositories and a real queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from lab.base.git import git
from lab.config.description import Lab, after
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts import archive, push, upload
from scripts.archives import lab_archive, labels
from scripts.archives.labels import Reasons
from scripts.promotion.after import carry_out
from tests.conftest import Bench, GitRepository
from tests.packages import pretend_built


@pytest.mark.parametrize(
    "promotion, chosen, expected",
    [
        (None, None, "built"),
        ({}, None, "tested"),
        ({}, "built", "built"),
        ({}, "tested", "tested"),
        (None, "built", "built"),
    ],
)
def test_default_of_after(
    lab_factory: Callable[..., Lab], promotion: dict[str, str] | None, chosen: str | None, expected: str
) -> None:
    settings = {"to": "file:///nowhere", **({"after": chosen} if chosen else {})}
    track = {} if promotion is None else {"promotion": promotion}
    lab = lab_factory(component={"upload": settings}, track=track)
    described = lab.component("greet", "trunk").upload
    assert described is not None
    assert after(lab.tracks["trunk"], described.after) == expected


@pytest.mark.parametrize(
    "component",
    [
        {"upload": {"to": "file:///x", "after": "tested"}},
        {"packaging": {"push": {"git": "/x", "branch": "b", "after": "tested"}}},
    ],
)
def test_nothing_waits_for_a_promotion_that_never_comes(
    lab_factory: Callable[..., Lab], component: dict[str, object]
) -> None:
    with pytest.raises(ConfigurationError, match="after: tested: trunk has no promotion"):
        lab_factory(component=component)
    lab_factory(component=component, track={"promotion": {}})


@pytest.mark.parametrize(
    "track, message",
    [
        ({"promotion": {"label": "stable"}}, "promotion.label: stable is none of labels: tested"),
        ({"promotion": {"criteria": ["exercise"]}}, "promotion.criteria: exercise is none of phases: build"),
        (
            {"promotion": {}, "trigger": "review"},
            "promotion: only a track with the trigger commit has states to promote",
        ),
    ],
)
def test_a_promotion_that_cannot_be_is_refused(
    lab_factory: Callable[..., Lab], track: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        lab_factory(track=track)


@pytest.mark.integration
def test_upload_and_push_follow_the_promotion(
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
) -> None:
    packaging = git_repository("packaging")
    tested = packaging.commit("Package it", {"debian/changelog": "1\n"})
    bare = tmp_path / "bare.git"
    git(["init", "--quiet", "--bare", bare])
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    lab = lab_factory(
        packaging=packaging.path,
        component={
            "upload": {"to": f"file://{incoming}"},
            "packaging": {"push": {"git": str(bare), "branch": "tested"}},
        },
        track={"promotion": {}},
    )
    work = bench(lab)
    pretend_built(work)
    assert work.execute(archive).verdict == "passed"
    git(["clone", "--quiet", packaging.path, work.run.work / "packaging"])
    work.pretend("packaging", facts={"branch": "main"})
    for step in (upload, push):
        record = work.execute(step)
        assert (record.verdict, record.message) == (
            "skipped",
            "follows the promotion to trunk-tested: qalab promote trunk",
        )
    assert list(carry_out(lab, "trunk", "trunk-tested")) == []
    assert list(incoming.iterdir()) == []

    with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as opened:
        labels.move(opened, "promotion", "trunk-tested", "trunk", Reasons("a person"))
    done = list(carry_out(lab, "trunk", "trunk-tested"))
    assert [(step.name, step.component, step.version, step.problem) for step in done] == [
        ("upload", "greet", "1.0-1", ""),
        ("push", "greet", "1.0-1", ""),
    ]
    assert [path.name for path in incoming.glob("*.dsc")] == ["greet_1.0-1.dsc"]
    assert git(["rev-parse", "tested"], cwd=bare) == tested
    assert list(carry_out(lab, "trunk", "trunk-tested")) == []  # once

    run = Store.of(lab).runs("trunk", "greet")[-1]
    assert isinstance(run, Run)
    (run.path / "run.json").unlink()
    problems = {step.problem for step in carry_out(lab, "trunk", "trunk-tested")}
    assert problems == {"its build run is not on this machine: set after: built, or promote where it was built"}
