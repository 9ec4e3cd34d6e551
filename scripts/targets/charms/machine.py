"""A machine of a model as a node: by ``juju ssh``, as root."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.run import Result, Word, attempt, run
from scripts.targets.charms.client import PROGRAM, Model

SETTINGS = (
    "HOME=/root", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """A node; ``machine``: its id in the model."""

    model: Model
    machine: str
    name: str
    address: str

    def enter(self, argv: Sequence[Word], *, online: bool = False) -> list[Word]:  # noqa: ARG002 - it always is
        # OpenSSH joins its words and has a shell there take them apart: one word, quoted, arrives as it is.
        remote = shlex.join(["sudo", "--non-interactive", "env", "-i", *SETTINGS, *map(str, argv)])
        return [PROGRAM, "ssh", "--model", str(self.model), self.machine, remote]

    def run(self, argv: Sequence[Word], *, online: bool = False, **options: Any) -> Result:
        return run(self.enter(argv, online=online), **{"log": self.model.log, "cwd": Path("/"), **options})

    def attempt(self, argv: Sequence[Word], *, online: bool = False, **options: Any) -> tuple[Result, list[str]]:
        words = self.enter(argv, online=online)
        if self.model.log:
            return attempt(words, self.model.log, **{"cwd": Path("/"), **options})
        with tempfile.NamedTemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as log:
            return attempt(words, log, **{"cwd": Path("/"), **options})

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        script = 'umask 022; mkdir -p "$(dirname "$1")"; cat > "$1"; [ -z "$2" ] || chmod "$2" "$1"'
        words = ["sh", "-euc", script, "sh", path, f"{mode:o}" if mode else ""]
        self.run(words, stdin=text.encode("utf-8", "surrogateescape"))

    def read(self, path: str) -> str:
        return self.run(["cat", path], capture=True).stdout
