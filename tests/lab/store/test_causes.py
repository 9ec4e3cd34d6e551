"""The cause of a Jenkins build: its parameter, else what starts the jobs of its track."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
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


IDENTITY = '{"forge":"f","project":"a/b","number":7,"head":"%s","ref":"refs/pull/7/head","branch":"main"}' % ("7" * 40)


@pytest.mark.parametrize(
    "env, number, base, wrong",
    [
        ({"PROPOSAL": IDENTITY, "BASE": "b" * 40}, 7, "b" * 40, ""),
        ({}, None, "", ""),
        ({"PROPOSAL": "{}"}, None, "", "PROPOSAL: is no identity of a change"),
        ({"PROPOSAL": IDENTITY.replace("refs/pull/7/head", "refs/heads/main")}, None, "", "PROPOSAL: is no identity"),
        ({"PROPOSAL": IDENTITY, "ONTO": "a-state"}, 7, "", ""),
        ({"PROPOSAL": IDENTITY, "DEPENDS_ON": "x"}, None, "", "DEPENDS_ON: is no list of changes"),
    ],
)
def test_proposal_in_jenkins(  # noqa: PLR0917 - a table
    lab_factory: Callable[..., Lab],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    env: dict[str, str],
    number: int | None,
    base: str,
    wrong: str,
) -> None:
    for name, value in {"BUILD_URL": "https://jenkins.example/1/", **env}.items():
        monkeypatch.setenv(name, value)
    if wrong:
        with pytest.raises(ConfigurationError, match=wrong):
            open_run(tmp_path / "workspace", lab_factory(), "trunk", "greet")
        return
    info = open_run(tmp_path / "workspace", lab_factory(), "trunk", "greet").info
    assert (info.proposal and info.proposal.number, info.base) == (number, base)
    assert info.onto == env.get("ONTO", "")
