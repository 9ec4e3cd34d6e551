"""A running qalab-virt-nspawn, for tests and figures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from lab.base import environment, resources


@dataclass
class Server:
    """A running server: commands go to it, answers come back."""

    process: subprocess.Popen[str]

    def ask(self, command: str) -> list[str]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        assert answer[:1] == ["ok"], answer
        return answer[1:]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        prefix = list(map(unquote, self.ask("print-execute-command")[0].split(",")))
        return subprocess.run([*prefix, *argv], capture_output=True, text=True, check=False)


@contextmanager
def serving(series: str, settings: Mapping[str, str]) -> Iterator[Server]:
    """Run a server of testbeds of a series, with some variables of the environment."""
    argv = [sys.executable, "-m", "scripts.testing.virt_nspawn", series]
    env = environment.clean() | dict(settings)
    with subprocess.Popen(
        argv, cwd=resources.ROOT, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ok\n"
        yield Server(process)
        if process.poll() is None:
            process.kill()
