"""``qalab run``: the exit code of a run that stops where it was asked to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import cli
from lab.config.description import Lab
from lab.store.runs import Store
from lab.store.step import EXIT_CODES
from reports import status
from tests.conftest import Bench

BUILT = ("snapshot", "packaging", "changelog", "source", "sbuild")


@pytest.mark.parametrize(
    "verdicts, until, code",
    [
        ({}, "lintian", 0),
        ({"lintian": "unstable"}, "lintian", 4),
        ({"lintian": "unstable"}, "content", 4),
        ({"content": "unstable"}, "content", 4),
        ({"content": "unstable"}, "lintian", 0),
    ],
)
def test_run_until_step_exits_with_unstable(
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    tmp_path: Path,
    *,
    verdicts: dict[str, Any],
    until: str,
    code: int,
) -> None:
    """Only the steps that the run was asked for count."""
    done = bench(lab_factory())
    for step in (*BUILT, "lintian", "content"):
        record = done.pretend(step)
        verdict = verdicts.get(step, "passed")
        record.model_copy(update={"verdict": verdict, "exit_code": EXIT_CODES[verdict]}).write(
            done.run.record_path(step)
        )
    argv = ["run", "--run", done.run.id, "--until", until, "--lab", str(tmp_path / "lab.yaml")]
    result = CliRunner().invoke(cli, argv)
    assert (result.exit_code, f"stopped after {until}, as requested" in result.output) == (code, True), result.output


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_commit_is_refused(lab_factory: Callable[..., Lab], value: str) -> None:
    lab = lab_factory()
    result = CliRunner().invoke(cli, ["run", "trunk", "greet", "--commit", value, "--lab", str(lab.file)])
    assert result.exit_code == 2
    assert "'--commit': is empty; leave the option out for the default" in result.output
    assert Store.of(lab).runs() == []


def test_a_run_that_was_asked_to_stop_says_so(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> None:
    done = bench(lab_factory())
    for step in BUILT:
        done.pretend(step, message="done")
    argv = ["run", "--run", done.run.id, "--until", "sbuild", "--lab", str(done.lab.file)]
    assert CliRunner().invoke(cli, argv).exit_code == 0
    found = status.find(done.run.id)
    assert status.summary(found)["message"] == "stopped after sbuild, as requested: done"
    done.pretend("lintian", message="clean")  # a later call was cut short after it
    assert status.summary(status.find(done.run.id))["message"] == "clean"
