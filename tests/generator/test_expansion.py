"""What is remembered of an expansion, and what makes it forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator import digests, expansion, jjb
from generator.items import Item

JOBS = "- job: {name: a, builders: [shell: !include-raw-verbatim: scripts/a.sh]}\n"


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of jobs that includes a file; the current directory is another."""
    path = tmp_path / "jobs"
    (path / "scripts").mkdir(parents=True)
    (path / "a.yaml").write_text(JOBS)
    (path / "scripts/a.sh").write_text("echo one")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return path


@pytest.fixture
def expanded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that were really expanded."""
    calls: list[Path] = []
    real = jjb.expand
    monkeypatch.setattr(
        jjb,
        "expand",
        lambda paths, *rest: (calls.extend([paths] if isinstance(paths, Path) else paths), real(paths, *rest))[1],
    )
    return calls


def expand(jobs: Path, ini: Path | None = None, plugins: dict[str, str] | None = None) -> list[Item]:
    return expansion.expand(jobs, jjb.Settings(ini), plugins)


def test_expansion_is_cached(jobs: Path, expanded: list[Path]) -> None:
    assert expand(jobs) == expand(jobs) == jjb.expand(jobs, jjb.configuration(None))
    assert len(expanded) == 2  # one of ours


def _include(jobs: Path) -> None:
    (jobs / "scripts/a.sh").write_text("echo two")


def _yaml(jobs: Path) -> None:
    (jobs / "a.yaml").write_text(JOBS.replace("name: a", "name: b"))


def _another(jobs: Path) -> None:
    (jobs / "b.yaml").write_text("- job: {name: c}\n")


def _shadow(_: Path) -> None:
    """JJB looks in the current directory first."""
    Path("scripts").mkdir()
    Path("scripts/a.sh").write_text("echo shadow")


def _gone(jobs: Path) -> None:
    (jobs / "a.yaml").rename(jobs / "a.txt")
    (jobs / "c.yaml").write_text("[]")


@pytest.mark.parametrize("change", [_include, _yaml, _another, _shadow, _gone])
def test_change_invalidates_the_cache(jobs: Path, expanded: list[Path], change: Callable[[Path], None]) -> None:
    before = expand(jobs)
    change(jobs)
    after = expand(jobs)
    assert after != before
    assert after == jjb.expand(jobs, jjb.configuration(None))


def test_ini_and_plugins_are_part_of_the_cache_key(jobs: Path, expanded: list[Path], tmp_path: Path) -> None:
    ini = tmp_path / "j.ini"
    for text in ("[jenkins]\nurl=http://a/\n", "[jenkins]\nurl=http://a/\n[job_builder]\nkeep_descriptions=True\n"):
        ini.write_text(text)
        for plugins in ({}, {"git": "5.2.0"}):
            expand(jobs, ini, plugins)
            expand(jobs, ini, plugins)
    assert len(expanded) == 4


def test_damaged_cache_is_ignored(jobs: Path, expanded: list[Path], tmp_path: Path) -> None:
    before = expand(jobs)
    (memo,) = (tmp_path / "cache/qalab/jobs").iterdir()
    assert memo.stat().st_mode & 0o777 == 0o600  # a job can contain secrets
    memo.write_bytes(memo.read_bytes()[:100])
    assert expand(jobs) == before
    assert len(expanded) == 2


def test_oldest_cache_entries_are_deleted(jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "KEPT", 2)
    for number in range(4):
        expand(jobs, plugins={"git": str(number)})
    assert len(list((tmp_path / "cache/qalab/jobs").iterdir())) == 2


def _file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def _dangling(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize("place", ["cache", "cache/qalab", "cache/qalab/jobs"])
@pytest.mark.parametrize("block", [_file, _dangling])
def test_cache_that_cannot_be_written_stops_nothing(
    jobs: Path, expanded: list[Path], tmp_path: Path, place: str, block: Callable[[Path], None]
) -> None:
    block(tmp_path / place)
    assert [item.key.name for item in expand(jobs)] == ["a"]
    with digests.remembered("https://jenkins.lab.example/", "lab") as known:
        assert known.of("<project/>")
    assert expand(jobs)
    assert len(expanded) == 2


def test_directory_in_place_of_a_cached_expansion_stops_nothing(
    jobs: Path, expanded: list[Path], tmp_path: Path
) -> None:
    before = expand(jobs)
    (memo,) = (tmp_path / "cache/qalab/jobs").iterdir()
    memo.unlink()
    memo.mkdir()
    assert expand(jobs) == before
    assert len(expanded) == 2
