"""``qalab demo``: one at a time in a directory; the tutorial that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli import demo
from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.config.description import PHASES

TUTORIAL = Path(__file__).parents[2] / "docs/tutorial/first-lab.md"


@pytest.mark.usefixtures("tmp_path")
def test_second_demo_leaves_the_first_alone() -> None:
    home = environment.state_home() / "demo-hello"
    (home / "runs").mkdir(parents=True)
    with (
        files.locked(environment.cache_home() / "demo-hello.lock"),
        pytest.raises(InfrastructureError, match="another demo works in"),
    ):
        demo.run("hello")
    assert (home / "runs").exists()


def test_tutorial_shows_each_phase_of_commit() -> None:
    text = TUTORIAL.read_text()
    shown: dict[int, list[str]] = {}
    for number, step in re.findall(r"^trunk/hello/(\d+) +(\w+) +[✔-] ", text, re.MULTILINE):
        shown.setdefault(int(number), []).append(step)
    assert [shown[number] for number in range(1, len(PHASES) + 1)] == [list(steps) for steps in PHASES.values()]
    for number, step in re.findall(r"qalab log trunk/hello/(\d+) (\w+)", text):
        assert step in [*PHASES.values()][(int(number) - 1) % len(PHASES)], f"trunk/hello/{number} has no step {step}"
