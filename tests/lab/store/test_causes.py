"""The cause of a Jenkins build: its parameter, else what starts the jobs of its track."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store.records import RunInputs
from lab.store.run_directory import open_run


@pytest.mark.parametrize(
    "track, env, cause",
    [
        ({}, {"CAUSE": "packaging commit"}, "packaging commit"),
        ({}, {}, "by hand"),
        ({}, {"CAUSE": "nonsense"}, ""),
        ({"trigger": "proposed", "phases": ["deploy"]}, {"CAUSE": "proposed packages"}, "proposed packages"),
        ({"trigger": "proposed", "phases": ["deploy"]}, {}, "by hand"),
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


@pytest.mark.parametrize(
    "text, inputs",
    [
        ('{"needs": {"libgreet": "1.0"}}', RunInputs(needs={"libgreet": "1.0"})),
        ("", None),
        ("{}", RunInputs()),
        ("nonsense", None),
        ('{"other": 1}', None),
    ],
)
def test_inputs_in_jenkins(
    lab_factory: Callable[..., Lab],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str,
    inputs: RunInputs | None,
) -> None:
    env = {"BUILD_URL": "https://jenkins.example/1/", "CAUSE": "dependency", "REASON": "libgreet", "INPUTS": text}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    info = open_run(tmp_path / "workspace", lab_factory(), "trunk", "greet").info
    assert (info.cause, info.reason, info.inputs) == ("dependency", "libgreet", inputs)


def test_jenkins_parameters_are_ignored_outside_jenkins(
    lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAUSE", "packaging commit")
    monkeypatch.setenv("PACKAGING", "a" * 40)
    info = open_run(tmp_path / "run", lab_factory(), "trunk", "greet").info
    assert (info.cause, info.packaging) == ("by hand", "")
