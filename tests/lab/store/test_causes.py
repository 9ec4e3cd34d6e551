"""The cause of a Jenkins build: its parameter, else what starts the jobs of its track."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store.run_directory import open_run


@pytest.mark.parametrize(
    "track, env, cause",
    [
        ({}, {"CAUSE": "packaging commit"}, "packaging commit"),
        ({}, {}, "by hand"),
        ({}, {"CAUSE": "nonsense"}, ""),
        ({"trigger": "gerrit"}, {}, "change under review"),
        ({"trigger": "proposed", "phases": ["deploy"]}, {}, "timer"),
        ({"trigger": "proposed", "phases": ["deploy"]}, {"COMPONENT": "greet"}, "by hand"),
    ],
)
def test_cause_in_jenkins(  # noqa: PLR0917 - a table
    lab_factory: Callable[..., Lab],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    track: dict[str, object],
    env: dict[str, str],
    cause: str,
) -> None:
    for name, value in {"BUILD_URL": "https://jenkins.example/1/", "PACKAGING": "a" * 40, "TESTING": "", **env}.items():
        monkeypatch.setenv(name, value)
    info = open_run(tmp_path / "workspace", lab_factory(track=track), "trunk", "greet").info
    assert (info.cause, info.packaging, info.testing) == (cause, "a" * 40, "")


def test_jenkins_parameters_are_ignored_outside_jenkins(
    lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAUSE", "packaging commit")
    monkeypatch.setenv("PACKAGING", "a" * 40)
    info = open_run(tmp_path / "run", lab_factory(), "trunk", "greet").info
    assert (info.cause, info.packaging) == ("by hand", "")
