"""``qalab step``: one step alone, and its help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from scripts.registry import STEPS
from tests.command import qalab


def test_step_runs_in_plain_directory(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    lab, workspace = small_lab(), tmp_path / "workspace"
    workspace.mkdir()
    done = qalab("step", "snapshot", "--lab", lab, "--track", "trunk", "--component", "greet", cwd=workspace)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("snapshot: passed")
    assert list((workspace / "out").glob("greet_1.0+git20260103.1.*.orig.tar.xz"))
    assert (workspace / "results/junit.xml").read_bytes().count(b"<testcase") == 1


def test_step_does_not_create_mistyped_run_directory(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    lab, path = small_lab(), tmp_path / "mistyped/work"
    of_greet = ("--track", "trunk", "--component", "greet")
    for argv in (["step", "snapshot", *of_greet], ["step", "snapshot"], ["step", "sbuild", *of_greet], ["run"]):
        done = qalab(*argv, "--lab", lab, "--run", path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), argv
        assert str(path) in done.stderr
    assert not path.parent.exists()


def help_of(*argv: str) -> str:
    result = CliRunner().invoke(cli, [*argv, "--help"], prog_name="qalab", terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.output


def test_step_help_lists_each_step() -> None:
    lines = help_of("step").partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(STEPS)
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


@pytest.mark.parametrize("name", STEPS)
def test_step_help_has_options(name: str) -> None:
    text = help_of("step", name)
    assert text.startswith(f"Usage: qalab step {name} [OPTIONS]")
    for option in ("--lab", "--run", "--track", "--component", "--commit", "--tries"):
        assert f"\n  {option} " in text
    assert "``" not in text
    assert f"{name}: " not in text.splitlines()[2]
