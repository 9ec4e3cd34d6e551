"""A machine of a model as a node: by ``juju ssh``, as root."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Unpack

from lab.base.run import AttemptOptions, ProgramFailed, Result, RunOptions, Word, echo, run
from scripts.drivers.commands import SETTINGS, attempted, writing
from scripts.drivers.juju.client import PASSING, PROGRAM, JujuModel, JujuRefused, complaint

MOST_SECONDS = 1800.0  # of a command without a limit of its own: a client can wait for a lost machine without end
MOST_BYTES = 4096  # of a refusal


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
        words = self.enter(argv, online=online)
        own: RunOptions = {"log": self.model.log, "cwd": Path("/"), "timeout": MOST_SECONDS, **options}
        with (
            nullcontext(own["log"])
            if own["log"]
            else tempfile.NamedTemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as log
        ):
            own["log"] = log

            def entered() -> Result:
                mark = log.tell()
                try:
                    result = run(words, **own)
                except ProgramFailed:
                    _pass_on_refusal(_said(log, mark, words))
                    raise
                if not result:
                    _pass_on_refusal(_said(log, mark, words))
                return result

            return self.model.patiently(entered)

    def attempt(
        self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[AttemptOptions]
    ) -> tuple[Result, list[str]]:
        own: AttemptOptions = {"timeout": MOST_SECONDS, **options}

        def entered() -> tuple[Result, list[str]]:
            result, lines = attempted(self.enter(argv, online=online), self.model.log, **own)
            if not result:
                _pass_on_refusal(lines)
            return result, lines

        return self.model.patiently(entered)

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        self.run(writing(path, mode), stdin=text.encode("utf-8", "surrogateescape"))

    def read(self, path: str) -> str:
        return self.run(["cat", path], capture=True).stdout


def _said(log: IO[str], mark: int, words: Sequence[Word]) -> list[str]:
    """Return the lines of a program's output in a log, after its echo; they are few where Juju refuses it."""
    with Path(log.name).open("rb") as stream:
        stream.seek(mark + len(echo(words).encode("utf-8", "surrogateescape")))
        return stream.read(MOST_BYTES).decode("utf-8", "replace").splitlines()


def _pass_on_refusal(lines: Sequence[str]) -> None:
    """Raise JujuRefused where nothing but a busy controller's refusal was printed: then nothing has run on the machine."""
    why = complaint(lines)
    if lines and all(line.startswith("ERROR ") for line in lines) and PASSING.search(why):
        raise JujuRefused("juju ssh", why)


def node_name(machine: str) -> str:
    """Return the name of a node for a machine or container of Juju, such as ``0/lxd/1``."""
    return f"node{machine.replace('/', '-')}"
