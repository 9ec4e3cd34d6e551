"""Old runs lose scratch files, built packages and node logs; new, few and running ones lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.phases.retention import tidy

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LOST = ("work/tree/file", "out/greet.deb", "results/nodes/node0/journal.log")
KEPT = ("results/snapshot.log", "results/native/cases.jsonl", "run.json")


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory(track={"phases": ["build", "deploy"]}, lab={"runs": {"keep": 2, "keep_days": 30}})


def made(lab: Lab, *days: int, phase: str = "build") -> list[Run]:
    """Runs that began so many days before now."""
    runs = []
    for ago in days:
        run = Store.of(lab).new_run(lab, "trunk", "greet", phase=phase)  # type: ignore[arg-type]
        started = (NOW - timedelta(days=ago)).isoformat()
        run.write_info(run.info.model_copy(update={"started": started}))
        for name in (*LOST, *KEPT[:-1]):
            (run.path / name).parent.mkdir(parents=True, exist_ok=True)
            (run.path / name).write_text("twelve bytes")
        runs.append(run)
    return runs


def whole(run: Run) -> bool:
    there = {(run.path / name).exists() for name in LOST}
    assert len(there) == 1
    assert all((run.path / name).exists() for name in KEPT)
    return there.pop()


@pytest.mark.parametrize(
    "days, stay",
    [
        ((90, 60, 40, 20, 10), (False, False, False, True, True)),
        ((90, 60), (True, True)),  # however old: they are the newest
        ((20, 10, 5), (True, True, True)),  # however many: they are new
        ((90, 5, 60, 2), (False, True, True, True)),  # an older commit, tested again later
    ],
)
def test_tidy_frees_old_runs_beyond_newest(lab: Lab, days: tuple[int, ...], stay: tuple[bool, ...]) -> None:
    runs = made(lab, *days)
    freed = list(tidy(lab, NOW))
    assert tuple(map(whole, runs)) == stay
    assert freed == [(run, 36) for run, stays in zip(runs, stay, strict=True) if not stays]
    assert list(tidy(lab, NOW)) == []


@pytest.mark.parametrize(
    "section, lost",
    [({"archive": {"keep": 1, "keep_days": 1}}, 0), ({"runs": {"keep": 1, "keep_days": 1}}, 2)],
)
def test_tidy_uses_settings_of_runs(lab_factory: Callable[..., Lab], section: dict[str, object], lost: int) -> None:
    lab = lab_factory(lab=section)
    made(lab, 20, 10, 5)
    assert len(list(tidy(lab, NOW))) == lost


def test_tidy_counts_each_phase_separately(lab: Lab) -> None:
    builds, deployments = made(lab, 90, 80), made(lab, 70, 60, phase="deploy")
    assert list(tidy(lab, NOW)) == []
    assert all(map(whole, [*builds, *deployments]))


def test_tidy_keeps_files_in_dry_run_and_of_held_run(lab: Lab) -> None:
    old, *_ = made(lab, 90, 80, 70)
    assert list(tidy(lab, NOW, dry_run=True)) == [(old, 36)]
    assert whole(old)
    with old.held():
        assert list(tidy(lab, NOW)) == []
    assert whole(old)


def test_tidy_does_not_follow_symbolic_link(lab: Lab, tmp_path: Path) -> None:
    old, *_ = made(lab, 90, 80, 70)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (old.work / "link").symlink_to(elsewhere)
    assert [run for run, _ in tidy(lab, NOW)] == [old]
    assert (elsewhere / "precious").exists()
