"""Two people, or a person and the job lab-apply, at work on one server at the same time, each on a machine of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.generator.conftest import JOBS
from tests.jenkins.double import Double
from tests.processes import HOUSE


def both(home: Path, *verbs: tuple[str, ...]) -> list[tuple[int, str]]:
    """Run two commands at once; return their exit codes and outputs."""
    started = [
        subprocess.Popen(
            [sys.executable, HOUSE / "qalab.py", "jenkins", *verb], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"XDG_STATE_HOME": str(home / f"operator{number}")},
        )
        for number, verb in enumerate(verbs)
    ]  # fmt: skip
    said = [process.communicate()[0] for process in started]
    return [(process.returncode, text) for process, text in zip(started, said, strict=True)]


@pytest.mark.integration
def test_two_operators_apply_at_the_same_time(
    call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path
) -> None:
    """Each item is made and changed once; neither sees an error; and nothing is left to do."""
    for text in (JOBS, JOBS.replace("make one", "make 1").replace("H 3", "H 4")):
        (tmp_path / "jobs/jobs.yaml").write_text(text)
        ended = both(tmp_path, ("apply", "--yes"), ("apply", "--yes"))
        assert [code for code, _ in ended] == [0, 0], "\n".join(text for _, text in ended)
        assert call("plan", "--check")[0] == 0
    assert sorted(jenkins.jobs()) == ["folder", "folder/build", "grün", "plain", "with a blank"]


@pytest.mark.integration
def test_apply_and_prune_at_the_same_time(
    call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path
) -> None:
    """What one deletes, the other one does not describe: both succeed."""
    call("apply", "--yes")
    (tmp_path / "jobs/jobs.yaml").write_text(JOBS.replace("make one", "make 1").replace("- job: {name: plain", "#"))
    ended = both(tmp_path, ("apply", "--yes"), ("prune", "--yes"), ("prune", "--yes"))
    assert [code for code, _ in ended] == [0, 0, 0], "\n".join(text for _, text in ended)
    assert "plain" not in jenkins.jobs()
    assert call("plan", "--check")[0] == 0
