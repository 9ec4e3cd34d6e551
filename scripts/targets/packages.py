"""The deployer of packages: onto each node what its applications need, then the applications one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import files
from lab.errors import LabError
from lab.run import ProgramFailed, Result
from scripts.recipes import Repository
from scripts.targets import installing
from scripts.targets.deployed import Installed, Service
from scripts.targets.seams import Node
from scripts.targets.site import Site
from scripts.targets.topology import Topology

MOST_BYTES = 2_000_000  # of one log; its end is what tells most
LOGS = ["find", "/var/log", "-type", "f", "-size", "+0", "-not", "-path", "/var/log/journal/*", "-not", "-name", "*.[gx]z",
        "-not", "-name", "wtmp", "-not", "-name", "lastlog"]  # fmt: skip


@dataclass(frozen=True)
class Packages:
    """Deploys a topology from the lab's archive, and the distribution's where that has nothing."""

    nodes: Sequence[Node]
    beside: Callable[..., Result]
    repository: Repository | None
    archive: Mapping[str, tuple[str, str]]
    say: Callable[[str], None]

    def deploy(self, topology: Topology) -> tuple[dict[str, Service], list[Installed], dict[str, float]]:
        """Install, set up, record: the services, the packages, and how many seconds each part took.

        Raises Failed and InfrastructureError, which name the application or the package.
        """
        site, took = Site({node.name: node for node in self.nodes}, self.beside), {}
        began = time.monotonic()
        for node in self.nodes:
            names = sorted({name for application in topology.on(node.name) for name in application.packages})
            installing.install(node, names, self.repository)
        there = [each for node in self.nodes for each in installing.installed(node, self.repository, self.archive)]
        took["install"] = round(time.monotonic() - began, 2)
        for application in topology.applications:
            began = time.monotonic()
            self.say(f"setting up {application.name}")
            site.services[application.name] = application.role.set_up(site, application)
            took[application.name] = round(time.monotonic() - began, 2)
        return site.services, there, took


def collect_logs(nodes: Iterable[Node], into: Path) -> None:
    """Each node's journal and what is below /var/log, whatever state it is in."""
    for node in nodes:
        with suppress(LabError):  # a node that does not answer keeps nobody from the others
            journal = node.run(["journalctl", "--no-pager", "--output=short-iso", "--boot"], capture=True, check=False)
            _write(into / node.name / "journal.log", journal.stdout)
            for path in node.run(LOGS, capture=True).stdout.splitlines():
                with suppress(ProgramFailed):  # rotated away just now
                    _write(into / node.name / path.removeprefix("/var/log/"), node.read(path))


def _write(path: Path, text: str) -> None:
    files.write_atomic(path, text.encode("utf-8", "surrogateescape")[-MOST_BYTES:])
