"""An installation that does not end: the maintainer script that hangs, and the command that it runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import LONGEST
from lab.base.text import without_middle
from scripts.drivers.interfaces import Node

LIST = ("ps", "-e", "-o", "pid=,ppid=,etimes=,args=")
PROCESS = re.compile(r"^ *(?P<pid>\d+) +(?P<parent>\d+) +(?P<seconds>\d+) +(?P<command>.*)$")
# dpkg runs a preinst from tmp.ci, where no name of the package is.
SCRIPT = re.compile(
    r"/var/lib/dpkg/(?:info/(?P<package>[^/ ]+?)(?::[a-z0-9]+)?\.|tmp\.ci/)(?P<script>preinst|postinst|prerm|postrm)\b"
)
APT = re.compile(r"^apt-get ")
MINUTE_SECONDS = 60.0


@dataclass(frozen=True)
class Process:
    """A process of a node."""

    pid: int
    parent: int
    seconds: int
    command: str


@contextmanager
def limited(node: Node, minutes: float) -> Iterator[None]:
    """Limit the time of apt in the block.

    Raises Failed for a maintainer script that hangs, InfrastructureError for anything else that does not end.
    """
    errors: list[LabError] = []

    def end() -> None:
        with suppress(LabError):
            found = processes(node.run(LIST, capture=True, check=False).stdout)
            errors.append(fault(found, node.name, minutes))
            node.run(["kill", "-KILL", *(str(each.pid) for each in descendants(found, APT))], check=False)

    timer = threading.Timer(minutes * MINUTE_SECONDS, end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if errors:
            raise errors[0]


def processes(output: str) -> list[Process]:
    """Return the processes in the output of `LIST`."""
    found = (match for line in output.splitlines() if (match := PROCESS.match(line)))
    return [Process(int(each["pid"]), int(each["parent"]), int(each["seconds"]), each["command"]) for each in found]


def fault(found: Sequence[Process], node: str, minutes: float) -> LabError:
    """Return what has not ended in time."""
    hanging = next((each for each in found if SCRIPT.search(each.command)), None)
    if hanging is None:
        return InfrastructureError(f"{node}: apt-get has not finished within {minutes:g} min")
    match = SCRIPT.search(hanging.command)
    assert match  # noqa: S101 - it was found by this pattern
    below = [each for each in descendants(found, SCRIPT) if not SCRIPT.search(each.command)]
    runs = f" ({without_middle(below[-1].command, LONGEST)})" if below else ""
    package = match["package"] or "that is being unpacked"
    spent = f"{hanging.seconds // 60} min" if hanging.seconds >= MINUTE_SECONDS else f"{hanging.seconds} s"
    return Failed(f"the package {package}: its {match['script']} has run for {spent} on {node}{runs}")


def descendants(found: Sequence[Process], pattern: re.Pattern[str]) -> list[Process]:
    """Return the processes that match, and all that these have started, parents first."""
    chosen: list[Process] = []
    for each in sorted(found, key=lambda process: process.pid):
        if pattern.search(each.command) or each.parent in {other.pid for other in chosen}:
            chosen.append(each)
    return chosen
