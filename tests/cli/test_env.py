"""``qalab env`` without environments: its output, and refused calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.env import command as env
from cli.env import shell
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.deployment import environments
from tests.conftest import Bench


def call(tmp_path: Path, *argv: str) -> str:
    result = CliRunner().invoke(env, [*argv, "--lab", str(tmp_path / "lab.yaml")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory(track={"phases": ["build", "deploy"]})


def test_env_without_environments(lab: Lab, tmp_path: Path) -> None:
    assert call(tmp_path, "list") == "no environments\n"
    assert call(tmp_path, "list", "--json") == "[]\n"
    assert call(tmp_path, "destroy") == "no environments\n"
    assert call(tmp_path, "destroy", "trunk", "--yes") == "trunk: nothing to destroy\n"


def test_env_destroy_removes_leftovers_of_killed_process(lab: Lab, tmp_path: Path) -> None:
    left = Store.of(lab).environments / "trunk/nodes/node0/upper"
    left.mkdir(parents=True)
    assert call(tmp_path, "list") == "trunk: incomplete; remove it with: qalab env destroy trunk; nothing deployed\n"
    assert call(tmp_path, "destroy", "--yes") == "trunk: destroyed\n"
    assert environments.names(lab) == []


@pytest.mark.parametrize(
    ("made", "verdict", "said"),
    [
        ("2026-01-01T10:00:00Z", "failed", "the deployment did not pass: qalab show trunk/greet/2"),
        ("2026-01-01T10:00:00Z", "aborted", "the deployment did not pass: qalab show trunk/greet/2"),
        ("2026-01-01T12:00:00Z", "failed", "nothing deployed"),
    ],
    ids=["failed", "aborted", "made again since"],
)
def test_env_list_names_the_run_that_did_not_deploy(
    lab: Lab, tmp_path: Path, made: str, verdict: str, said: str
) -> None:
    for number, finished in enumerate(("2026-01-01T10:30:00Z", "2026-01-01T11:00:00Z"), 1):
        run = Store.of(lab).new_run(lab, "trunk", "greet", phase="deploy")
        record = Bench(lab, run).pretend("deploy", finished=finished)
        record.model_copy(update={"verdict": verdict}).write(run.record_path("deploy"))
        assert run.info.number == number
    home = Store.of(lab).environments / "trunk"
    home.mkdir(parents=True)
    os.utime(home, (datetime.fromisoformat(made).timestamp(),) * 2)
    assert call(tmp_path, "list").endswith(f"; {said}\n")


@pytest.mark.parametrize(
    ("argv", "error", "message"),
    [
        (["shell", "trunk"], ConfigurationError, "no environment trunk; known: none"),
        (["reset", "trunk"], ConfigurationError, "no environment trunk; known: none"),
        (["reset", "nosuch"], ConfigurationError, "no environment nosuch; known: none"),
        (["destroy", "trnk", "--yes"], ConfigurationError, r"no environment trnk; known: trunk; did you mean trunk\?"),
        (["destroy", "trunk", "nosuch", "--yes"], ConfigurationError, "no environment nosuch; known: trunk"),
        (["destroy", "nosuch", "--dry-run"], ConfigurationError, "no environment nosuch; known: trunk"),
        (["create", "nosuch"], ConfigurationError, "no track nosuch; known: trunk"),
        (["create", "trunk", "nosuch"], ConfigurationError, "no component nosuch in trunk; known: greet"),
    ],
)
def test_env_refuses_bad_name(lab: Lab, tmp_path: Path, argv: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(tmp_path, *argv)


@pytest.mark.parametrize("verb", ["reset", "destroy"])
def test_env_suggests_nearest_name(lab: Lab, tmp_path: Path, verb: str) -> None:
    (Store.of(lab).environments / "staging").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"no environment stagin; known: staging.*; did you mean staging\?"):
        call(tmp_path, verb, "stagin")


def test_env_destroy_refuses_locked_environment(lab: Lab, tmp_path: Path) -> None:
    (Store.of(lab).environments / "trunk").mkdir(parents=True)
    with (
        environments.exclusive_turn(lab, "trunk"),
        pytest.raises(InfrastructureError, match="trunk: somebody else works on"),
    ):
        call(tmp_path, "destroy", "trunk", "--yes")


@pytest.mark.parametrize(("words", "status"), [(["exit 3"], 3), (["kill -9 $$"], 137), (["true"], 0)])
def test_env_shell_online_stays_for_the_command(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], status: int
) -> None:
    class Here:
        def enter(self, argv: list[str], *, online: bool) -> list[str]:
            assert online
            return ["sh", "-c", argv[-1]]

    monkeypatch.setattr(shell, "chosen_node", lambda *_: Here())
    argv = ["shell", "trunk", "--online", "--lab", str(tmp_path / "lab.yaml"), *words]
    assert CliRunner().invoke(env, argv).exit_code == status
