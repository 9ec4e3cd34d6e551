"""The exercise ``command``: what a command prints, and why it failed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.base import run
from scripts.exercises import command
from scripts.exercises.cases import Cases, Over, read


class Here:
    """A node that is this machine."""

    run = staticmethod(run.run)


@pytest.mark.parametrize(
    "line, prints, outcome, message, shown",
    [
        ("sh -c 'echo hello; echo noise >&2'", "hello", "passed", "", "hello"),
        (
            "sh -c 'echo hello; echo no lab >&2; exit 3'",
            "hello",
            "failed",
            "it ended with status 3: no lab",
            "hello\nno lab",
        ),
        ("false", ".*", "failed", "it ended with status 1", ""),
        ("sh -c 'kill -9 $$'", ".*", "failed", "it ended with status 137: Killed", "Killed"),
        ("qalab-nowhere", ".*", "failed", "it ended with status 127: sh: 2: qalab-nowhere: not found", None),
        ("echo bye", "hello", "failed", "it should have printed: hello; it printed: bye", "bye"),
    ],
)
def test_command_explains_its_failure(
    tmp_path: Path, *, line: str, prints: str, outcome: str, message: str, shown: str | None
) -> None:
    service = SimpleNamespace(options={"command": line, "prints": prints})
    scene: Any = SimpleNamespace(places=lambda: [("greet", service, Here)])
    cases = Cases(command.NAME, tmp_path / "cases.jsonl")
    with contextlib.suppress(Over):
        command.exercise(scene, cases)
    (case,) = read(cases.path)
    assert (case.outcome, case.message) == (outcome, message)
    if shown is not None:
        assert case.output + case.evidence == shown


def test_command_that_hangs_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LONGEST_SECONDS", 0.1)
    service = SimpleNamespace(options={"command": "sleep 600"})
    scene: Any = SimpleNamespace(places=lambda: [("greet", service, Here)])
    cases = Cases(command.NAME, tmp_path / "cases.jsonl")
    command.exercise(scene, cases)
    (case,) = read(cases.path)
    assert (case.outcome, case.message) == ("failed", "it did not end within 0.1 seconds")
