"""``qalab diff``: two builds of the demo's size, with real packages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.diff import command
from lab.base import files
from lab.base.git import GitMirror
from lab.config.description import Lab
from lab.config.loading import load
from lab.results.cases import Case, line
from lab.store.records import Artifact, Native
from lab.store.runs import Store
from tests.archives import deb
from tests.conftest import Bench, GitRepository
from tests.reports.publications import a_proposal


@pytest.fixture
def runs(small_lab: Callable[..., Path], bench: Callable[..., Bench], tmp_path: Path) -> Lab:
    """Two builds: another commit, packaging, compiler and test results, and a new field in the package."""
    lab = load(small_lab())
    upstream = GitRepository(tmp_path / "upstream")
    commits = upstream.git("rev-list", "--reverse", "main").split()
    for number, commit in enumerate(commits, 1):
        one = bench(lab, commit)
        one.pretend("snapshot", commit=commit)
        one.pretend("packaging", facts={"head": str(number) * 40, "content": str(number)})
        path = deb(one.run.out / f"greet_{number}_all.deb", "greet", str(number), depends="libc6" if number > 1 else "")
        case = Case(suite="s", classname="c", name="greets", outcome="passed" if number == 1 else "failed")
        files.write_atomic(one.run.results / "native/cases.jsonl", line(case))
        artifact = Artifact(path=f"out/{path.name}", sha256=files.sha256(path), size=path.stat().st_size, kind="binary")
        one.pretend(
            "sbuild", facts={"installed": {"gcc": f"{number}.0", "make": "4"}}, artifacts=(artifact,),
            native=(Native(path="results/native/cases.jsonl", format="cases"),), version=str(number), seconds=number * 1.5,
        )  # fmt: skip
        for step in ("changelog", "source", "lintian", "content", "archive", "upload", "push"):
            one.pretend(step)

    with (tmp_path / "log").open("w") as log:
        GitMirror.of(str(upstream.path)).fetch(log)
    return lab


@pytest.mark.integration
def test_diff_lists_what_changed(runs: Lab) -> None:
    result = CliRunner().invoke(command, ["trunk/greet/1", "trunk/greet/2", "--lab", str(runs.file)])
    assert result.exit_code == 0, result.output
    for wanted in (
        "commits: 1", "Greet the world", "packaging 1111111 -> 2222222", "gcc 1.0 -> 2.0", "greet 1 -> 2", "newly failing: 1",
        "s/c/greets", "sbuild       passed 1.5 s -> passed 3.0 s", "{+Depends: libc6+}",
    ):  # fmt: skip
        assert wanted in result.output, result.output
    assert "make" not in result.output


@pytest.mark.integration
def test_diff_of_two_changes_under_review_lists_their_tests(runs: Lab) -> None:
    for number in (1, 2):
        run = Store.of(runs).run("trunk", "greet", str(number))
        assert run is not None
        run.write_info(run.info.model_copy(update={"proposal": a_proposal(number)}))
    result = CliRunner().invoke(command, ["trunk/greet/1", "trunk/greet/2", "--lab", str(runs.file)])
    assert "newly failing: 1" in result.output, result.output


@pytest.mark.integration
def test_diff_as_data(runs: Lab) -> None:
    result = CliRunner().invoke(command, ["trunk/greet/2", "trunk/greet/1", "--lab", str(runs.file), "--json"])
    data = json.loads(result.output)
    assert [each["test"]["id"] for each in data["comparison"]["fixed"]] == ["s/c/greets"]
    assert data["commits"] == []


def test_diff_refuses_runs_of_two_phases(small_lab: Callable[..., Path], bench: Callable[..., Bench]) -> None:
    lab = load(small_lab(track={"phases": ["build", "test"]}))
    one = bench(lab)
    one.pretend("snapshot", commit="1" * 40)
    other = bench(lab)
    other.run.write_info(other.run.info.model_copy(update={"phase": "test"}))
    result = CliRunner().invoke(command, ["trunk/greet/1", "trunk/greet/2", "--lab", str(lab.file)])
    assert isinstance(result.exception, Exception)
    assert "is a build of greet in trunk, and trunk/greet/2 is not" in str(result.exception)


@pytest.mark.integration
def test_diff_without_upstream_has_the_rest(runs: Lab, tmp_path: Path) -> None:
    """The commit is not in the mirror, and upstream cannot be asked."""
    (tmp_path / "upstream").rename(tmp_path / "away")
    for mirror in GitMirror.of(str(tmp_path / "upstream")).path.parent.iterdir():
        mirror.rename(tmp_path / mirror.name)
    result = CliRunner().invoke(command, ["trunk/greet/1", "trunk/greet/2", "--lab", str(runs.file)])
    assert result.exit_code == 0, result.output
    assert "commits: none, or not in a line" in result.output
    assert "newly failing: 1" in result.output
