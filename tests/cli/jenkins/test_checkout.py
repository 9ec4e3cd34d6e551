"""``qalab jenkins checkout``, and a build that takes lab.yaml from the lab's own repository."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.jenkins import checkout
from cli.main import main
from generator import jjb, render
from generator.canonical import parse
from lab.config import loading
from lab.config.description import Lab
from tests.conftest import GitRepository, packaging_files


def qalab(*argv: str) -> int:
    """Run a command; return its exit code."""
    try:
        return main(argv)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture
def repository(git_repository: Callable[..., GitRepository], lab_factory: Callable[..., Lab], tmp_path: Path) -> Path:
    """Return the lab's own repository, with a lab.yaml that names it, and jobs/."""
    upstream, own = git_repository("upstream"), git_repository("lab-repository")
    upstream.commit("Start", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    jenkins = {"url": "https://jenkins.lab.example/", "repository": {"git": str(own.path), "branch": "main"}}
    packaging = git_repository("packaging")
    packaging.commit("Package it", packaging_files())
    lab_factory(upstream=upstream.path, packaging=packaging.path, lab={"jenkins": jenkins})
    own.commit("Describe the lab", {"lab.yaml": (tmp_path / "lab.yaml").read_text()})
    (tmp_path / "lab.yaml").unlink()
    render.write(loading.load(own.path / "lab.yaml"), own.path / "jobs")
    own.commit("Generate the jobs")
    return own.path


@pytest.mark.integration
def test_build_records_the_commit_of_its_lab_file(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (item,) = (
        item for item in jjb.expand(repository / "jobs", jjb.configuration(None)) if item.key.name.endswith("-build")
    )
    first, second, *_ = (str(line.text) for line in parse(item.xml).findall("builders/hudson.tasks.Shell/command"))
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    head = GitRepository(repository).git("rev-parse", "main").strip()
    assert qalab(*shlex.split(first)[1:]) == 0
    assert capsys.readouterr().out == f"lab: commit {head} of main\n"
    # The branch moves on during the build, and the build keeps its description.
    GitRepository(repository).commit("Go on", {"lab.yaml": "no description\n"})
    assert qalab(*shlex.split(second.replace("$COMMIT", "v1.0"))[1:]) == 0
    assert json.loads(Path("run.json").read_text())["lab_commit"] == head
    capsys.readouterr()
    assert qalab("show", str(workspace)) == 0
    assert f"  lab.yaml {head}\n" in capsys.readouterr().out


@pytest.mark.integration
def test_run_records_an_uncommitted_lab_file(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    head = GitRepository(repository).git("rev-parse", "main").strip()
    description = yaml.safe_load(Path("lab.yaml").read_text())
    for change, expected in ({"archive": {"keep": 3}}, f"{head}-dirty"), ({}, head):
        Path("lab.yaml").write_text(yaml.safe_dump(description | change, sort_keys=False))
        assert qalab("run", "trunk", "greet", "--until", "snapshot") == 0
        capsys.readouterr()
        assert qalab("status", "--json") == 0
        assert json.loads(capsys.readouterr().out)[-1]["lab_commit"] == expected


def test_checkout_is_retried(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away, pauses = repository.rename(tmp_path / "away"), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            away.rename(repository)

    monkeypatch.setattr(checkout.time, "sleep", sleep)
    monkeypatch.chdir(tmp_path)
    assert qalab("jenkins", "checkout", str(repository), "main", "--tries", "2") == 3
    assert not Path("lab").exists()
    assert qalab("jenkins", "checkout", str(repository), "main", "--tries", "2") == 0
    assert pauses == [10.0, 10.0]
    assert qalab("jenkins", "checkout", str(repository), "main", "--tries", "2") == 2
    assert "lab: exists already (name a new directory with --into)" in capsys.readouterr().err
