"""The command line as its users meet it: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from cli.main import cli
from tests.command import HOUSE, qalab


@pytest.mark.integration
@pytest.mark.parametrize("name, known", [("run.json", 6), ("results/01-snapshot.json", 1)])
def test_what_a_newer_qalab_wrote_is_left_alone(small_lab: Callable[..., Path], name: str, known: int) -> None:
    lab = small_lab()
    assert qalab("run", "trunk", "greet", "--lab", lab, "--until", "snapshot").returncode == 0
    (told,) = json.loads(qalab("status", "--json").stdout)
    path, run = Path(told["path"], name), Path(told["path"])
    path.write_text('{"schema": 9, "new": "field"}')
    before = {each: each.read_bytes() for each in run.rglob("*") if each.is_file()}
    for argv in (
        ["status"],
        ["run", "--lab", lab, "--run", told["id"], "--from", "snapshot"],
        ["step", "packaging", "--lab", lab, "--run", run],
        ["publish", "--lab", lab],
    ):
        done = qalab(*argv)
        said = f"{path} was written by a newer qalab (schema 9; this one knows {known}): upgrade qalab\n"
        assert (done.returncode, done.stderr.count("\n"), done.stderr.endswith(said)) == (2, 1, True), argv
    assert {each: each.read_bytes() for each in run.rglob("*") if each.is_file()} == before


@pytest.mark.parametrize(
    "argv, code, said",
    [
        (["run", "trunk", "nothing"], 2, "qalab: no component nothing in trunk; known: greet"),
        (["run", "old", "greet"], 2, "qalab: no track old; known: trunk"),
        (["run"], 2, "name TRACK and COMPONENT, or --resume, or --run RUN"),
        (
            ["run", "trunk", "greet", "--until", "lunch"],
            2,
            "qalab: no step lunch in this phase; known: snapshot, packaging",
        ),
        (["run", "trunk", "greet", "--from", "sbuild"], 2, "no run of greet in trunk to repeat from sbuild"),
        (["run", "trunk", "greet", "--run", "x"], 2, "--run cannot be combined with"),
        (["run", "--resume", "--commit", "x"], 2, "--commit starts a new run"),
        (["status", "--track", "old"], 2, "qalab: no runs of old/*; known: none"),
        (["status", "--lab", "x"], 2, "qalab: x: there is no such file; name it with --lab or QALAB_LAB"),
        (["run", "--run", "trunk/greet/9"], 2, "qalab: no run trunk/greet/9; the last ones: none yet"),
        (["show", "nothing"], 2, "qalab: no run nothing; the last ones: none yet"),
        (["watch", "old"], 2, "qalab: no track old; known: trunk"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["step", "lunch"], 2, "no step lunch; known: snapshot, packaging"),
        (["step", "snapshot", "--frob"], 2, "No such option"),
        (["watch", "trunk", "--interval", "-5"], 2, "Invalid value for '--interval': -5 is not in the range"),
        (["watch", "trunk", "--interval", "nan"], 2, "Invalid value for '--interval': 'nan' is not a valid integer"),
        (["publish", "--watch", "--interval", "0"], 2, "Invalid value for '--interval': 0 is not in the range"),
        (["step", "snapshot", "--tries", "0"], 2, "Invalid value for '--tries': 0 is not in the range"),
        (["step", "snapshot"], 2, "no run directory yet"),
        (["demo", "--component", "glance"], 2, "'glance' is not one of 'hello', 'keystone', 'qalab'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(small_lab: Callable[..., Path], tmp_path: Path, argv: list[str], code: int, said: str) -> None:
    small_lab()
    done = qalab(*argv, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr
    assert not (tmp_path / "state/qalab/testlab/runs").exists()  # what cannot be leaves nothing


PLANTED = """
import sys
import yaml
from cli import main, phases
from lab.config.description import Lab
from lab.store import step_command
from reports import status
def bug(*_, **__):
    raise TypeError("planted\\nhere")
WHERE = bug
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    "where, argv",
    [
        ("status.survey", ["status"]),
        ("yaml.SafeLoader.get_single_node", ["check"]),
        ("Lab.model_validate_json", ["run", "trunk", "greet"]),
        ("phases.runner.run_phase", ["run", "trunk", "greet"]),
        ("step_command.carry_out", ["step", "snapshot"]),
    ],
)
def test_a_bug_is_one_line_and_a_log(
    small_lab: Callable[..., Path], tmp_path: Path, where: str, argv: list[str]
) -> None:
    env = os.environ | {"PYTHONPATH": str(HOUSE), "QALAB_LAB": str(small_lab())}
    command = [sys.executable, "-c", PLANTED.replace("WHERE", where), *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=120)
    (log,) = (tmp_path / "state/qalab/bugs").iterdir()
    assert (done.returncode, done.stderr) == (70, f"qalab: a bug in qalab: TypeError: planted here; see {log}\n")
    assert f"called: -c {' '.join(argv)}\n" in log.read_text()
    assert log.read_text().endswith("TypeError: planted\nhere\n")
    assert "Traceback" not in done.stdout + done.stderr


def test_docs_name_every_command() -> None:
    docs = "".join(path.read_text() for path in (*HOUSE.glob("*.md"), *HOUSE.glob("docs/**/*.md")))
    groups = {"env", "jenkins", "results", "site"}
    paths = [path for path in cli.paths(click.Context(cli)) if path not in groups and not path.startswith("step ")]
    assert len(paths) > 30
    assert [path for path in paths if f"qalab {path}" not in docs] == []
