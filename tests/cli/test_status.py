"""``qalab status`` next to runs that this release cannot read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from lab.config.description import Lab
from lab.store.runs import Store
from tests.command import qalab
from tests.openings import openings

NEWER = "was written by a newer qalab (schema 9; this one knows {}): upgrade qalab"


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory()


def status(*argv: str) -> Result:
    result = CliRunner().invoke(cli, ["status", *argv], catch_exceptions=False)
    assert result.exit_code == 2
    return result


def make_newer(path: Path) -> None:
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | {"schema": 9, "novelty": 1}))


@pytest.mark.parametrize("name", ["run.json", "results/01-snapshot.json", "results/10-push.json"])
def test_status_shows_other_runs_and_one_line_for_newer_one(lab: Lab, name: str) -> None:
    runs = [Store.of(lab).new_run(lab, "trunk", "greet") for _ in range(3)]
    make_newer(runs[1].path / name)
    newer = NEWER.format(6 if name == "run.json" else 1)
    for argv in ((), ("--track", "trunk"), ("--component", "greet")):
        result = status(*argv)
        assert result.stderr == f"qalab: {runs[1].path / name} {newer}\n"
        assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == [runs[0].id, runs[2].id]
    assert [run["id"] for run in json.loads(status("--json").stdout)] == [runs[0].id, runs[2].id]


def test_status_with_newer_run_only_does_not_claim_that_no_run_exists(lab: Lab) -> None:
    run = Store.of(lab).new_run(lab, "trunk", "greet")
    make_newer(run.path / "run.json")
    result = status()
    assert (result.stdout, result.stderr) == ("", f"qalab: {run.path}/run.json {NEWER.format(6)}\n")
    assert json.loads(status("--json").stdout) == []


def test_status_names_the_lab_of_each_run_where_there_are_several(lab_factory: Callable[..., Lab]) -> None:
    names = []
    for name in ("one", "other"):
        lab = lab_factory(lab={"lab": {"name": name}})
        Store.of(lab).new_run(lab, "trunk", "greet")
        shown = CliRunner().invoke(cli, ["status"], catch_exceptions=False).stdout.splitlines()
        names.append({line.split()[0] for line in shown[1:]})
    assert names == [{"trunk/greet/1"}, {"one/trunk/greet/1", "other/trunk/greet/1"}]


def test_status_of_one_lab(lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option and the variable choose it; another lab's runs that cannot be read are no matter."""
    for name in ("one", "other"):
        lab = lab_factory(lab={"lab": {"name": name}})
        run = Store.of(lab).new_run(lab, "trunk", "greet")
        (tmp_path / "lab.yaml").rename(tmp_path / f"{name}.yaml")
    make_newer(run.path / "run.json")
    lab_factory(lab={"lab": {"name": "new"}})

    def listed(*argv: str) -> tuple[int, list[str], str]:
        result = CliRunner().invoke(cli, ["status", *argv], catch_exceptions=False)
        return result.exit_code, [line.split()[0] for line in result.stdout.splitlines()[1:]], result.stdout

    assert listed("--lab", str(tmp_path / "one.yaml"))[:2] == (0, ["trunk/greet/1"])
    monkeypatch.setenv("QALAB_LAB", str(tmp_path / "one.yaml"))
    assert listed()[:2] == (0, ["trunk/greet/1"])
    assert listed("--lab", str(tmp_path / "other.yaml"))[0] == 2
    assert listed("--lab", str(tmp_path / "lab.yaml"))[::2] == (
        0,
        "no runs of this lab yet; try: qalab run TRACK COMPONENT\n",
    )
    (tmp_path / "one.yaml").write_text("lab: {name: one\n")
    done = qalab("status", "--lab", tmp_path / "one.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "one.yaml:2:1: not YAML: " in done.stderr


def test_status_reads_each_record_once(lab: Lab) -> None:
    paths = [Store.of(lab).new_run(lab, "trunk", "greet").path / "results/02-packaging.json" for _ in range(3)]
    for path in paths:
        make_newer(path)
    with openings() as counted:
        status()
    assert [counted[str(path)] for path in paths] == [1, 1, 1]


def test_status_reports_unreadable_run_and_continues(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    for _ in range(2):
        assert qalab("run", "trunk", "greet", "--lab", lab, "--until", "snapshot").returncode == 0
    first, second = (Path(run["path"]) for run in json.loads(qalab("status", "--json").stdout))
    (first / "run.json").write_text('{"schema": 1}')
    (second / "results/01-snapshot.json").write_text('{"schema": 1, "new": "field"}')
    done = qalab("status", "--json")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith(f"qalab: {first}/run.json: ")
    (row,) = json.loads(done.stdout)
    assert (row["id"], row["verdict"], "expected schema 1" in row["message"]) == ("trunk/greet/2", "error", True)
    again = qalab("run", "--run", "trunk/greet/2", "--lab", lab, "--until", "snapshot")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "(kept)" not in again.stdout
    assert qalab("run", "trunk", "greet", "--lab", lab, "--until", "snapshot").returncode == 0
