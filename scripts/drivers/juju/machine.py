"""A machine of a model as a node: by ``juju ssh``, as root."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from lab.base.run import AttemptOptions, Result, RunOptions, Word, run
from scripts.drivers.commands import SETTINGS, attempted, writing
from scripts.drivers.juju.client import PROGRAM, JujuModel

MOST_SECONDS = 1800.0  # of a command without a limit of its own: a client can wait for a lost machine without end


@dataclass(frozen=True)
class JujuMachine:
    """A node; ``machine``: its id in the model."""

    model: JujuModel
    machine: str
    name: str
    address: str

    def enter(self, argv: Sequence[Word], *, online: bool = False) -> list[Word]:  # noqa: ARG002 - it always is
        # OpenSSH joins its words and has a shell there take them apart: one word, quoted, arrives as it is.
        remote = shlex.join(["sudo", "--non-interactive", "env", "-i", *SETTINGS, *map(str, argv)])
        return [PROGRAM, "ssh", "--model", str(self.model), self.machine, remote]

    def run(self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[RunOptions]) -> Result:
        own: RunOptions = {"log": self.model.log, "cwd": Path("/"), "timeout": MOST_SECONDS, **options}
        return run(self.enter(argv, online=online), **own)

    def attempt(
        self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[AttemptOptions]
    ) -> tuple[Result, list[str]]:
        own: AttemptOptions = {"timeout": MOST_SECONDS, **options}
        return attempted(self.enter(argv, online=online), self.model.log, **own)

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        self.run(writing(path, mode), stdin=text.encode("utf-8", "surrogateescape"))

    def read(self, path: str) -> str:
        return self.run(["cat", path], capture=True).stdout


def node_name(machine: str) -> str:
    """Return the name of a node for a machine or container of Juju, such as ``0/lxd/1``."""
    return f"node{machine.replace('/', '-')}"
