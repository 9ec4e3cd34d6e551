"""The interfaces of drivers: the operations on machines that a driver provides to the rest of qalab.

A `Provisioner` creates the nodes of one environment from a pristine state, restores them to it, and destroys them.  It
is independent of the applications deployed on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Unpack

from lab.base.run import AttemptOptions, Result, RunOptions, Word
from lab.config.description import Lab, Series
from scripts.chroots.bootstrap import Repository


@dataclass(frozen=True)
class Pristine:
    """The pristine state of nodes: a series, with all dependencies of some packages.

    ``packages`` are to be installed, and may be in the pristine state already, except those built from the source
    packages ``sources``, which are under test.
    """

    series_name: str
    series: Series
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    repository: Repository | None = None


class PristineSnapshot(Protocol):
    """A pristine state from which nodes are created without delay."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts about the snapshot for the record."""


class Node(Protocol):
    """A machine with an operating system."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str:
        """The IPv4 address, as the other nodes use it."""

    def enter(self, argv: Sequence[Word], *, online: bool = False) -> list[Word]:
        """Return the command that runs a command of the node from this machine; also for a terminal."""

    def run(self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[RunOptions]) -> Result:
        """Run a program as root; see `lab.run.run`.

        ``online``: run where mirrors, and any service on this machine's loopback, are reachable.
        """

    def attempt(
        self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[AttemptOptions]
    ) -> tuple[Result, list[str]]:
        """Run a program that may fail; return the result and the printed lines, which are also in the log."""

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        """Write a file and its parent directories; an existing file keeps its owner and, without ``mode``, its mode."""

    def read(self, path: str) -> str:
        """Return a file's text; bytes that are not UTF-8 are escaped."""


class Provisioner(Protocol):
    """The machines of one environment."""

    def archive(self, lab: Lab, track: str) -> AbstractContextManager[Repository | None]:
        """Return the lab's archive as the nodes access it; None while it has no packages for the track."""

    def prepare(self, pristine: Pristine) -> AbstractContextManager[PristineSnapshot]:
        """Provide a pristine state.  Raises InfrastructureError when the state cannot be created."""

    def create(self, snapshot: PristineSnapshot, names: Sequence[str]) -> list[Node]:
        """Create the environment and boot its nodes.  Any previous environment is destroyed first."""

    def nodes(self) -> list[Node]:
        """Return the existing nodes; none if the environment does not exist or is incomplete."""

    def reaching(self, nodes: Sequence[Node], repository: Repository | None) -> Sequence[Node]:
        """Return nodes whose ``online`` programs reach a repository that this machine serves on its loopback."""

    def collect_logs(self, into: Path) -> None:
        """Collect the logs of the nodes in any state, in a directory for each node."""

    def beside(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result:
        """Run a program on this machine, outside the nodes, in a place from which the nodes are reachable."""

    def route(self, network: str, via: str) -> None:
        """Route a network via one of the nodes, with address ``via``, for all programs that can reach the nodes."""

    def reset(self) -> list[Node]:
        """Restore all nodes to the state of their creation.  Raises InfrastructureError when no nodes exist."""

    def destroy(self) -> bool:
        """Delete the environment in any state; return whether it existed."""
