"""``qalab init``: a new lab is valid, and its jobs are up to date."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.main import main
from generator import new_lab
from lab.base.git import git


def qalab(*argv: str) -> int:
    """Run a command; return its exit code."""
    try:
        return main(argv)
    except SystemExit as ended:
        return int(ended.code or 0)


def check_new_lab() -> None:
    """Check that the lab in the working directory is valid and has all its jobs."""
    for command in ("check",), ("jenkins", "generate", "--check"):
        assert qalab(*command) == 0, command


@pytest.mark.parametrize("example", [*new_lab.EXAMPLES])
def test_init_creates_a_valid_lab(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert qalab("init", "new", "--from", example) == 0
    monkeypatch.chdir("new")
    check_new_lab()
    before = Path("lab.yaml").read_bytes()
    for again in (*new_lab.EXAMPLES, "demo"):
        assert qalab("init", "--from", again) == 2
    assert Path("lab.yaml").read_bytes() == before


def test_init_keeps_an_existing_sources_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sources/mine").mkdir(parents=True)
    assert qalab("init", "--from", "demo") == 2
    assert f"{tmp_path}/sources: exists already" in capsys.readouterr().err
    assert (tmp_path / "sources/mine").is_dir()
    assert not (tmp_path / "lab.yaml").exists()


def test_init_demo_can_be_repeated_after_a_failed_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/apt-get"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 100\n")
    program.chmod(0o755)
    monkeypatch.setenv("QALAB_MIRROR_DEBIAN", "http://127.0.0.1:9/debian")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert qalab("init", "new", "--from", "demo") == 3
        assert not (tmp_path / "new/sources").exists()
        assert not (tmp_path / "new/lab.yaml").exists()


@pytest.mark.integration
def test_init_demo_creates_a_lab_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert qalab("init", "new", "--from", "demo") == 0
    monkeypatch.chdir("new")
    check_new_lab()
    assert qalab("run", "trunk", "hello", "--until", "source") == 0
    status = git(["status", "--porcelain"], cwd=Path())
    assert status.splitlines() == ["?? .gitignore", "?? README.md", "?? jobs/", "?? lab.yaml"]


def test_init_services_creates_a_lab_that_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert qalab("init", "new", "--from", "services") == 0
    assert qalab("init", "new", "--from", "services") == 2
    monkeypatch.chdir("new")
    assert qalab("check") == 0
    assert os.access("exercises/client.sh", os.X_OK)
    assert git(["describe", "--tags"], cwd=Path("sources/upstream")) == "v1.0"
    assert git(["status", "--porcelain"], cwd=Path("sources/packaging")) == ""
