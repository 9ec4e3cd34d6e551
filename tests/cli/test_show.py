"""``qalab show`` and ``qalab log``, of a run with two records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.run_directory import Run
from tests.conftest import Bench


@pytest.fixture
def run(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> Run:
    done = bench(lab_factory())
    done.pretend("snapshot", message="1.0 from abc", version="1.0")
    done.pretend("packaging").model_copy(update={"verdict": "failed", "exit_code": 1, "message": "a conflict"}).write(
        done.run.record_path("packaging")
    )
    done.run.log_path("snapshot").write_text("+ git fetch\nfrom elsewhere\n")
    return done.run


def call(*argv: str) -> Result:
    result = CliRunner().invoke(cli, argv, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_runs_of_one_lab(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """show, log and results junit take --lab or QALAB_LAB."""
    own, other = tmp_path / "lab.yaml", tmp_path / "other.yaml"
    other.write_text(own.read_text().replace("name: testlab", "name: other"))
    for verb in (["show", run.id], ["log", run.id, "snapshot"], ["results", "junit", run.id]):
        call(*verb, "--lab", str(own))
        refused = CliRunner().invoke(cli, [*verb, "--lab", str(other)])
        assert isinstance(refused.exception, ConfigurationError)
        assert str(refused.exception) == f"{run.id}: is a run of the lab testlab, not of other"
        monkeypatch.setenv("QALAB_LAB", str(own))
        call(*verb)


def test_show_names_each_step_with_its_verdict(run: Run) -> None:
    text = call("show", run.id).stdout
    for words in (run.id, "snapshot", "passed", "packaging", "failed", "a conflict"):
        assert words in text


def test_show_json_has_the_records(run: Run) -> None:
    shown = json.loads(call("show", run.id, "--json").stdout)
    assert [(step["step"], step["verdict"]) for step in shown["steps"]] == [
        ("snapshot", "passed"),
        ("packaging", "failed"),
    ]


def test_log_prints_the_log_as_it_is(run: Run) -> None:
    assert call("log", run.id, "snapshot").stdout == "+ git fetch\nfrom elsewhere\n"
    assert json.loads(call("log", run.id, "snapshot", "--json").stdout)["log"] == "+ git fetch\nfrom elsewhere\n"


@pytest.mark.parametrize(
    "step, message",
    [("sbuild", "the step sbuild has no log; steps with a log: snapshot, packaging"), ("lunch", "no step lunch")],
)
def test_log_of_a_step_without_one_names_those_with_one(run: Run, step: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        call("log", run.id, step)
