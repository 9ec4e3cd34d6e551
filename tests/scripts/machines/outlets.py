"""Outlets of a power switch: each gives power to a process, which is the machine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable


class Outlets:
    """The outlets, by the names of their machines; ``command``: the program of a machine, with its arguments."""

    def __init__(self, names: Iterable[str], command: Callable[[str], list[str]] = lambda _: ["sleep", "1000"]) -> None:
        self.processes: dict[str, subprocess.Popen[bytes] | None] = dict.fromkeys(names)
        self.command = command

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.processes)

    def is_on(self, name: str) -> bool:
        process = self.processes[name]
        return process is not None and process.poll() is None

    def start(self, name: str) -> None:
        if not self.is_on(name):
            self.processes[name] = subprocess.Popen(self.command(name), stdin=subprocess.DEVNULL)

    def end(self, name: str) -> None:
        if process := self.processes[name]:
            process.kill()
            process.wait()

    def end_all(self) -> None:
        for name in self.names:
            self.end(name)
