"""An import that is repeated, killed, or has no archive to ask: nothing is lost, and nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.store import step_command
from tests.scripts.handover.test_agents import (
    Field,
    Repositories,
    archive_of,
    field,
    installed,
    killed_before,
    make_field,
    quick_steps,
)

__all__ = ["field"]


@pytest.mark.integration
def test_build_that_is_imported_twice(field: Field) -> None:
    """Whoever starts the job again gets the same state, and deploys it again."""
    build = field.build("greet", field.builders[0])
    first, again = (field.follow(build, field.vault)[0] for _ in range(2))
    assert (first.result, again.result) == ("SUCCESS", "SUCCESS"), field.controller.output[-1]
    assert len(field.reader.states("trunk")) == 1
    assert [dict(parameters) for _, parameters in again.triggered] == [
        dict(parameters) for _, parameters in first.triggered
    ]


@pytest.mark.integration
def test_import_that_was_killed_is_repeated(field: Field) -> None:
    build = field.build("greet", field.builders[0])
    [(job, parameters)] = build.triggered
    builders = len(field.controller.jobs[job].findall("builders/*"))
    for place in range(1, builders):
        killed = field.controller.build(job, field.vault, parameters, killed_before(place))
        assert (killed.result, killed.triggered) == ("FAILURE", ())
    done = field.controller.build(job, field.vault, parameters)
    assert done.result == "SUCCESS", field.controller.output[-1]
    [(_, deployed)] = done.triggered
    assert len(field.reader.states("trunk")) == 1
    assert installed(field, deployed["ARCHIVE"], "greet") == deployed["VERSION"]


@pytest.mark.integration
def test_build_without_an_archive_to_ask(
    tmp_path: Path, git_repository: Repositories, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the lab's fault, and hands nothing over."""
    quick_steps(monkeypatch)
    monkeypatch.setattr(step_command, "PAUSES_SECONDS", (0.0, 0.0))
    archive_of(tmp_path)
    away = make_field(tmp_path, git_repository, "http://127.0.0.1:9/")
    build = away.build("greet", away.builders[0])
    assert (build.result, build.triggered, away.controller.output[-1][1]) == ("FAILURE", (), 3)
    said = capsys.readouterr()
    assert "http://127.0.0.1:9/" in (said.out + said.err).splitlines()[-1]
