"""Uploads and pushes that wait for the promotion of their version, with real repositories and a real queue."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from debian.deb822 import Changes

from lab.base import files
from lab.base.errors import ConfigurationError
from lab.base.git import git
from lab.config.description import Lab, after
from lab.store.run_directory import Run, open_run
from lab.store.runs import Store
from scripts import archive, push, upload
from scripts.archives import lab_archive, labels
from scripts.archives.labels import Reasons
from scripts.handover import keeping
from scripts.promotion.after import carry_out
from tests.archives import copy_state
from tests.conftest import Bench, GitRepository
from tests.integration.test_archive import killed
from tests.packages import CHANGELOG, pretend_built
from tests.samples import sampled


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
@pytest.mark.parametrize("place", ["store", "workspace"])
def test_upload_and_push_follow_the_promotion(
    place: str,
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
) -> None:
    """A workspace of Jenkins is wiped before the promotion."""
    packaging = git_repository("packaging")
    changelog = CHANGELOG.format(name="greet", version="1.0-1", distribution="unstable", text="New")
    tested = packaging.commit("Package it", {"debian/changelog": changelog})
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
    work = bench(lab) if place == "store" else in_workspace(lab, tmp_path / "workspace")
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
    if place == "workspace":
        shutil.rmtree(work.run.path)
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

    run = done[0].run
    assert run is not None
    (run.path / "run.json").unlink()
    problems = {step.problem for step in carry_out(lab, "trunk", "trunk-tested")}
    assert problems == {"its build is not on this machine: promote on the machine that has the archive"}


@pytest.mark.integration
@pytest.mark.parametrize("step", sampled([1, 7], 7))
def test_upload_and_push_killed_at_each_write(
    step: int,
    lab_factory: Callable[..., Lab],
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
) -> None:
    """The next promotion completes them: the queue has whole files, the branch has the commit, and nothing is left open."""
    packaging = git_repository("packaging")
    changelog = CHANGELOG.format(name="greet", version="1.0-1", distribution="unstable", text="New")
    tested = packaging.commit("Package it", {"debian/changelog": changelog})
    outside = tmp_path / "outside"
    bare, incoming = outside / "bare.git", outside / "incoming"
    incoming.mkdir(parents=True)
    git(["init", "--quiet", "--bare", bare])
    pushed = {"git": str(bare), "branch": "tested"}
    lab = lab_factory(
        packaging=packaging.path,
        component={"upload": {"to": f"file://{incoming}"}, "packaging": {"push": pushed}},
        track={"promotion": {}},
    )
    work = in_workspace(lab, tmp_path / "workspace")
    pretend_built(work)
    assert work.execute(archive).verdict == "passed"
    git(["clone", "--quiet", packaging.path, work.run.work / "packaging"])
    work.pretend("packaging", facts={"branch": "main"})
    assert [work.execute(each).verdict for each in (upload, push)] == ["skipped", "skipped"]
    with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as opened:
        labels.move(opened, "promotion", "trunk-tested", "trunk", Reasons("a person"))
    places = {outside: tmp_path / "outside-before", Store.of(lab).root: tmp_path / "store-before"}
    for place, before in places.items():
        copy_state(place, before)
    for at in range(1, 10_000, step):
        for place, before in places.items():
            shutil.rmtree(place)
            copy_state(before, place)
        died = killed(at, lambda: list(carry_out(lab, "trunk", "trunk-tested")), tmp_path)
        assert all(done.problem == "" for done in carry_out(lab, "trunk", "trunk-tested"))
        [changes] = incoming.glob("*.changes")
        for row in Changes(changes.read_bytes())["Checksums-Sha256"]:
            assert files.sha256(incoming / row["name"]) == row["sha256"]
        assert git(["rev-parse", "tested"], cwd=bare) == tested
        assert list(carry_out(lab, "trunk", "trunk-tested")) == []
        assert not Run(Store.of(lab).postponed("trunk", "greet", "1.0-1")).out.exists()
        if not died:
            break
    assert at > 5


def in_workspace(lab: Lab, workspace: Path) -> Bench:
    """Return a run in a directory outside the store."""
    workspace.mkdir()
    return Bench(lab, open_run(workspace, lab, "trunk", "greet"))


@pytest.mark.integration
def test_kept_run_has_no_binaries_and_loses_its_files_when_it_is_done(
    lab_factory: Callable[..., Lab], tmp_path: Path
) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    lab = lab_factory(component={"upload": {"to": f"file://{incoming}"}}, track={"promotion": {}})
    store = Store.of(lab)
    for version in ("1.0-1", "1.0-2"):
        work = in_workspace(lab, tmp_path / version)
        pretend_built(work, version)
        assert work.execute(archive).verdict == "passed"
        assert [work.execute(upload).verdict for _ in range(2)] == ["skipped", "skipped"]
    kept = Run(store.postponed("trunk", "greet", "1.0-2"))
    assert {path.suffix for path in kept.out.iterdir()} & {".deb", ".dsc"} == {".dsc"}
    with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as opened:
        labels.move(opened, "promotion", "trunk-tested", "trunk", Reasons("a person"))
    assert [(step.version, step.problem) for step in carry_out(lab, "trunk", "trunk-tested")] == [("1.0-2", "")]
    assert [path.name for path in kept.path.parent.iterdir()] == ["1.0-2"]  # the older one is never promoted
    assert not kept.out.exists()
    assert list(carry_out(lab, "trunk", "trunk-tested")) == []


@pytest.mark.integration
def test_killed_copy_of_a_run_is_made_again(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_factory(track={"promotion": {}})
    work = in_workspace(lab, tmp_path / "workspace")
    pretend_built(work)
    directory = Store.of(lab).postponed("trunk", "greet", "1.0-1")
    torn = directory.with_name(".1.0-1")
    torn.mkdir(parents=True)
    (torn / "run.json").write_text("{")
    keeping.keep(Store.of(lab), work.run)
    assert Run(directory).version == "1.0-1"
    assert not torn.exists()
