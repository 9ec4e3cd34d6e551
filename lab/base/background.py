"""Programs that run at the same time, each with its output in a file; they end with this process.

A program is started by the thread that waits for it: its end would end the program, see `lab.base.run`.
"""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.base import signals
from lab.base.run import SETPRIV, Word, end_group


class BackgroundPrograms:
    """The programs that were started and not waited for, by the names that the caller gives them."""

    def __init__(self) -> None:
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the programs that still run."""
        for program in self._programs.values():
            with suppress(ProcessLookupError):
                program.terminate()
        for program in self._programs.values():
            end_group(program)
        for key in [*self._selector.get_map().values()]:
            os.close(key.fd)
        self._selector.close()

    def start(self, name: str, argv: Sequence[Word], output: Path, env: Mapping[str, str], cwd: Path) -> None:
        """Start a program with its standard output and standard error in a file."""
        with output.open("wb") as sink, signals.held_back():
            program = subprocess.Popen(  # noqa: S603 - a list of words, and no shell
                [SETPRIV, "--pdeathsig", "TERM", "--", *map(str, argv)],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
            self._programs[name] = program
            self._selector.register(os.pidfd_open(program.pid), selectors.EVENT_READ, name)

    def stop(self, name: str) -> None:
        """End a program, and do not wait for it any more."""
        key = next(key for key in self._selector.get_map().values() if key.data == name)
        self._selector.unregister(key.fd)
        os.close(key.fd)
        end_group(self._programs.pop(name))

    def ended(self, seconds: float) -> tuple[str, int] | None:
        """Wait some seconds for the end of one program, as `wait` does; None if none has ended."""
        return self.wait() if self._selector.select(seconds) else None

    def wait(self) -> tuple[str, int]:
        """Wait for the end of one program; return its name and its exit status.  At least one must run."""
        key, _ = self._selector.select()[0]
        self._selector.unregister(key.fd)
        os.close(key.fd)
        program = self._programs.pop(key.data)
        return key.data, program.wait()
