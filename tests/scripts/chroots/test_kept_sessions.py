"""Kept sessions: which builds keep theirs, how many stay and for how long, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment, files
from lab.config.description import Lab
from lab.results.sbuild_log import Reading
from lab.store.records import rfc3339
from lab.store.step import StepContext
from scripts.chroots import kept_sessions
from scripts.chroots.backends import SessionBackend
from scripts.chroots.kept_sessions import KeptManifest
from scripts.chroots.sessions import Session, opened
from tests import fakes
from tests.conftest import Bench

FAILED = Reading("failed", stage="build")


def way(home: Path, mode: Any = "schroot") -> SessionBackend:
    return SessionBackend(mode, "a test", home, prefix=("setpriv", "--nothing", "--"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fakes.install(tmp_path, monkeypatch)
    return tmp_path / "chroots"


def make(home: Path, run: str, days: float = 0, lab: str = "testlab") -> Path:
    """Make a kept session of a run that is some days old."""
    path = home / "kept" / f"qalab-{run}"
    path.mkdir(parents=True)
    (path / "lock").touch()
    created = rfc3339(environment.now() - timedelta(days=days))
    KeptManifest(lab=lab, run=run, path=f"/runs/{run}", created=created, stack=(f"/c/layer-{run}", "/c/base")).write(
        path / "kept.json"
    )
    return path


def left(home: Path) -> list[str]:
    return sorted(path.name.removeprefix("qalab-") for path in (home / "kept").iterdir())


def bound(lab: Lab, home: Path, number: int, **options: Any) -> list[str]:
    return [each.manifest.run for each in kept_sessions.bound(home, lab, number, **options)]


@pytest.mark.parametrize(
    "number, gone, stay",
    [
        (0, ["d", "c", "b", "a"], []),
        (1, ["d", "c", "b"], ["a"]),
        (2, ["d", "c"], ["a", "b"]),
        (9, ["d"], ["a", "b", "c"]),
    ],
)
def test_kept_sessions_bound_number_and_age(
    lab_factory: Callable[..., Lab], home: Path, number: int, gone: list[str], stay: list[str]
) -> None:
    for run, days in (("a", 0.1), ("b", 1.0), ("c", 2.0), ("d", 3.1)):
        make(home, run, days)
    make(home, "other", 0, lab="otherlab")
    lab = lab_factory()
    assert bound(lab, home, number, dry_run=True) == gone
    assert left(home) == ["a", "b", "c", "d", "other"]
    assert bound(lab, home, number) == gone
    assert left(home) == [*stay, "other"]


def test_kept_session_in_use_is_not_removed(lab_factory: Callable[..., Lab], home: Path) -> None:
    path = make(home, "a", 9)
    with files.locked(path / "lock"):
        assert bound(lab_factory(), home, 0) == []
        kept_sessions.remove(path)
        assert left(home) == ["a"]
    assert bound(lab_factory(), home, 0) == ["a"]


def test_kept_session_with_killed_removal_is_removed(lab_factory: Callable[..., Lab], home: Path) -> None:
    (make(home, "a") / "kept.json").unlink()
    make(home, "b")
    assert kept_sessions.kept(home)[0].manifest.run == "b"
    assert bound(lab_factory(), home, 1) == []
    assert left(home) == ["b"]


def test_kept_session_keeps_its_chroots_in_use(home: Path) -> None:
    make(home, "a")
    make(home, "b")
    assert kept_sessions.in_use(home) == {"layer-a", "layer-b", "base"}


@pytest.mark.parametrize(
    "there, is_found",
    [(("layer-a", "base"), True), (("base",), False), (("layer-a",), False), ((), False)],
    ids=["both chroots", "no layer", "no base", "nothing"],
)
def test_kept_session_without_its_chroots_is_not_found(
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    home: Path,
    there: tuple[str, ...],
    is_found: bool,  # noqa: FBT001 - a table
) -> None:
    """Somebody has removed caches: `qalab shell` makes a new chroot."""
    place = bench(lab_factory())
    path = make(home, "a")
    stack = (str(home / "layer-a"), str(home / "base"))
    manifest = KeptManifest.read(path / "kept.json").model_copy(update={"path": str(place.run.path), "stack": stack})
    manifest.write(path / "kept.json")
    for name in there:
        (home / name).mkdir()
    assert bool(kept_sessions.find(home, place.run)) is is_found


def keep(place: Bench, session: Session, reading: Reading) -> bool:
    with place.run.log_path("sbuild").open("w") as log:
        return kept_sessions.keep(StepContext(place.lab, place.run, log), session, reading)


@pytest.mark.parametrize(
    "reading, keeps, option, mode, expected",
    [
        (FAILED, 1, False, "schroot", True),
        (Reading("failed", timed_out=True), 1, False, "schroot", True),
        (FAILED, 0, True, "schroot", True),
        (FAILED, 0, False, "schroot", False),
        (FAILED, 1, True, "unshare", False),
        (Reading("failed", stage="install-deps"), 1, False, "schroot", False),
        (Reading("error", stage="build"), 1, False, "schroot", False),
        (Reading("passed"), 1, True, "schroot", False),
    ],
)
def test_keep_session_for_outcome(  # noqa: PLR0917 - a table
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    home: Path,
    reading: Reading,
    keeps: int,
    option: bool,  # noqa: FBT001 - a table
    mode: str,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    place = bench(lab_factory(lab={"runs": {"keep_chroots": keeps}}))
    place.run.write_info(place.run.info.model_copy(update={"keep_chroot": option}))
    (base := home / "base").mkdir(parents=True)
    with opened(way(home, mode), place.run.id, [base]) as session:
        session.for_sbuild()
        (session.upper / "build").mkdir()
        assert keep(place, session, reading) is expected
    assert list((home / "sessions").iterdir()) == []
    found = kept_sessions.find(home, place.run)
    assert (found is not None) is expected
    if found:
        assert (found.path / "upper/build").is_dir()
        assert found.manifest.stack == (str(base),)
        assert not files.is_locked(found.path / "lock")


def test_kept_session_is_one_per_run(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], home: Path) -> None:
    place = bench(lab_factory(lab={"runs": {"keep_chroots": 5}}))
    for _ in range(2):
        with opened(way(home), place.run.id, [Path("/c/base")]) as session:
            assert keep(place, session, FAILED)
    assert len(left(home)) == 1


def test_session_killed_before_keep_is_removed(home: Path) -> None:
    with opened(way(home), "x", [Path("/c/base")]) as session:
        pass
    session.path.mkdir()
    KeptManifest(lab="testlab", run="a", path="/r", created="2026-01-01T00:00:00.000Z", stack=()).write(
        session.path / "kept.json"
    )
    with opened(way(home), "y", [Path("/c/base")]):
        assert not session.path.exists()
    assert kept_sessions.kept(home) == []


def test_session_that_another_process_has_removed_is_not_made_again(home: Path) -> None:
    kept_sessions.remove(home / "kept/qalab-a")
    assert not (home / "kept").exists()
