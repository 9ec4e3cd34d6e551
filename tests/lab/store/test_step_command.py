"""The command of a step: a run directory, with and without Jenkins, and further tries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.config.description import Lab
from lab.store import step_command
from lab.store.records import Record
from lab.store.step import StepContext, StepOutcome
from tests.conftest import Bench
from tests.processes import HOUSE


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory()


@pytest.fixture
def at(lab: Lab, bench: Callable[..., Bench]) -> Bench:
    return bench(lab)


ALONE = """
import sys
from lab.store import step, step_command
from lab.base.errors import Failed, LabError
def action(context):
    if context.run.info.revision == "bad":
        raise Failed("a bad one")
    return step.StepOutcome(f"{context.run.info.number} {context.run.info.origin}")
try:
    sys.exit(step_command.main("snapshot", action, sys.argv[1:]))
except LabError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def alone(*argv: str | Path, cwd: Path, **variables: str) -> tuple[int, str]:
    """Run the step as a program; return its exit code and its output."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *argv],
        cwd=cwd,
        env=os.environ | variables | {"PYTHONPATH": str(HOUSE)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.integration
def test_step_command_in_plain_directory(lab: Lab, tmp_path: Path) -> None:
    plain, where = tmp_path / "plain", ("--lab", tmp_path / "lab.yaml")
    plain.mkdir()
    code, output = alone(*where, cwd=plain)
    assert code == 2
    assert output == f"{plain}: no run directory yet (name --track and --component to make it one)\n"
    code, output = alone(*where, "--track", "trunk", "--component", "nope", cwd=plain)
    assert (code, output) == (2, "no component nope in trunk; known: greet\n")
    assert list(plain.iterdir()) == []

    asked = ("--track", "trunk", "--component", "greet", "--commit", "v1")
    assert alone(*where, *asked, cwd=plain) == (0, "snapshot: passed: 1 local\n")
    assert json.loads((plain / "results/01-snapshot.json").read_bytes())["verdict"] == "passed"
    assert json.loads((plain / "run.json").read_bytes())["revision"] == "v1"
    # It is a run directory now, and the environment can name the lab file.
    assert alone(cwd=plain, QALAB_LAB=str(tmp_path / "lab.yaml")) == (0, "snapshot: passed: 1 local\n")


@pytest.mark.integration
def test_step_command_in_jenkins(lab: Lab, tmp_path: Path) -> None:
    url = "https://ci.example/job/trunk-greet/57/"
    argv = ("--lab", tmp_path / "lab.yaml", "--run", tmp_path / "ws", "--track", "trunk", "--component", "greet")
    result = alone(*argv, "--commit", "bad", cwd=tmp_path, BUILD_URL=url, BUILD_NUMBER="57")
    assert result == (1, "snapshot: failed: a bad one\n")
    info = json.loads((tmp_path / "ws/run.json").read_bytes())
    assert (info["origin"], info["url"], info["number"]) == ("jenkins", url, 57)

    # The next build in the same workspace is another run: nothing of the last one's is believed.
    (tmp_path / "ws/out/old.deb").touch()
    again = {"BUILD_URL": url.replace("57", "58"), "BUILD_NUMBER": "58"}
    assert alone(*argv, "--commit", "v1", cwd=tmp_path, **again) == (0, "snapshot: passed: 58 jenkins\n")
    info = json.loads((tmp_path / "ws/run.json").read_bytes())
    assert (info["revision"], info["number"]) == ("v1", 58)
    assert list((tmp_path / "ws/out").iterdir()) == []


@pytest.mark.integration
def test_step_command_refuses_held_run(at: Bench, tmp_path: Path) -> None:
    with at.run.held():
        code, output = alone("--lab", tmp_path / "lab.yaml", "--run", at.run.path, cwd=tmp_path)
    assert (code, output) == (3, f"{at.run.path}: another process works on this run\n")
    assert at.run.record("snapshot") is None


@pytest.mark.parametrize(
    "faults, asked, tries, code",
    [
        ([3, 3, 0], "3", 3, 0),
        ([3, 0], "1", 1, 3),
        ([3, 3, 3, 3, 3, 3], "6", 6, 3),  # more than there are pauses
        ([3, 1], "5", 2, 1),
        ([2, 0], "5", 1, 2),
        ([0], "5", 1, 0),
    ],
)
def test_step_command_retries_lab_errors(
    at: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *,
    faults: list[int], asked: str, tries: int, code: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(step_command, "PAUSES_SECONDS", (0.01, 0.02))
    errors = {1: Failed("broken"), 2: ConfigurationError("wrong"), 3: InfrastructureError("mirror is gone")}
    left = iter(faults)

    def action(context: StepContext) -> StepOutcome:
        if fault := next(left):
            raise errors[fault]
        return StepOutcome("done", facts={"count": 3})

    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(at.run.path), "--tries", asked]
    assert step_command.main("snapshot", action, argv) == code
    record = Record.read(at.run.record_path("snapshot"))
    printed = capsys.readouterr().out.splitlines()
    assert printed[:-1] == [
        f"snapshot: the lab's fault: mirror is gone; trying again in {0.01 if number == 1 else 0.02:g} seconds"
        for number in range(1, tries)
    ]
    assert printed[-1].endswith(f" (tried {tries} times)") == (tries > 1)
    assert printed[-1] == f"snapshot: {record.verdict}: {record.message}"
    assert record.facts == ({"count": 3} if code == 0 else {}) | ({"attempts": tries} if tries > 1 else {})


def test_step_command_does_not_repeat_own_retries(at: Bench, tmp_path: Path) -> None:
    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(at.run.path), "--tries", "9"]
    tried = StepOutcome("mirror is gone (tried 3 times)", verdict="error", facts={"attempts": 3})
    assert step_command.main("snapshot", lambda _: tried, argv) == 3
    assert Record.read(at.run.record_path("snapshot")).message == tried.message


def test_step_command_reports_bug_in_one_line(at: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[StepContext] = []

    def action(context: StepContext) -> StepOutcome:
        calls.append(context)
        return "a" + 1  # type: ignore[operator]

    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(at.run.path), "--tries", "9"]
    assert step_command.main("snapshot", action, argv) == 70
    assert len(calls) == 1
    record = Record.read(at.run.record_path("snapshot"))
    message = 'a bug in qalab: TypeError: can only concatenate str (not "int") to str; see results/snapshot.log'
    assert (record.verdict, record.exit_code, record.message, record.facts) == ("error", 70, message, {})
    assert capsys.readouterr().out == f"snapshot: error: {message}\n"
    (log,) = (tmp_path / "state/qalab/bugs").iterdir()
    for text in (at.log("snapshot"), log.read_text()):
        assert "\npython: " in text
        assert text.count("Traceback (most recent call last):") == 1
        assert text.rstrip().endswith('TypeError: can only concatenate str (not "int") to str')
    assert at.log("snapshot").startswith(f"see {log}\n")


@pytest.mark.parametrize("tries", ["0", "-1", "many", "1.5"])
def test_step_command_refuses_invalid_tries(tries: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        step_command.main("snapshot", lambda _: StepOutcome(), [f"--tries={tries}"])
    assert caught.value.exit_code == 2
    assert caught.value.format_message().startswith("Invalid value for '--tries': ")


def test_step_command_main_returns_exit_code(at: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(at.run.path)]
    assert step_command.main("snapshot", lambda _: StepOutcome(verdict="unstable"), argv) == 4
    assert capsys.readouterr().out == "snapshot: unstable\n"
    with pytest.raises(ConfigurationError, match="no run directory yet"):
        step_command.main("snapshot", lambda _: StepOutcome(), [*argv[:2], "--run", str(tmp_path)])
    argv[-1] = str(tmp_path / "fresh")
    assert (
        step_command.main("snapshot", lambda _: StepOutcome(), [*argv, "--track", "trunk", "--component", "greet"]) == 0
    )
