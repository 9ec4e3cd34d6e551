"""A controller whose agents run the jobs' shell lines with every real tool, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.controller import Agent, Controller, expand

HOUSE = Path(__file__).parents[1]


@dataclass
class ShellController(Controller):
    """A controller whose agents run each shell line with sh, in a process of its own.

    The caches of the agents are one, to save time; the state is that of the agent.
    """

    def _run(self, line: str, agent: Agent, workspace: Path, env: Mapping[str, str]) -> int:
        program = agent.home / "bin/qalab"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {HOUSE}/qalab.py "$@"\n')
        program.chmod(0o755)
        own = {name: text for name, text in agent.env.items() if name != "XDG_CACHE_HOME"}
        path = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            [*self.entry(agent), "sh", "-xec", line], cwd=workspace, env=os.environ | own | path | dict(env),
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800,
        )  # fmt: skip
        self.output.append((f"{expand(line, env)}\n{done.stdout}", done.returncode))
        return done.returncode

    def entry(self, agent: Agent) -> list[str]:
        """Return the words before a command line that run it on an agent."""
        return []
