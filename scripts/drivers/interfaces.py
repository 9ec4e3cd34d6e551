"""The interfaces of drivers: what a driver of machines provides to the rest of qalab.

A `Provisioner` creates the nodes of one environment from a pristine system, resets them to it, and destroys them.  It
knows nothing about the packages deployed on them.
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
    """The starting point of nodes: a series, with the dependencies of some packages.

    ``packages`` are the packages to deploy.  The pristine system can already contain them, except for those of the
    tested source packages (``sources``).  ``answers`` are for debconf; ``recommends``: with recommended packages.
    """

    series_name: str
    series: Series
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    repository: Repository | None = None
    answers: tuple[str, ...] = ()
    recommends: bool = False


class PristineSnapshot(Protocol):
    """A pristine state that nodes are made from in no time."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return the facts for the step's record."""


class Node(Protocol):
    """A machine with a system on it."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str:
        """Its IPv4 address, as the other nodes see it."""

    def enter(self, argv: Sequence[Word], *, online: bool = False) -> list[Word]:
        """Return the local command that runs a command on the node; it also works on a terminal."""

    def run(self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[RunOptions]) -> Result:
        """Run a program as root; see `lab.run.run`.

        ``online``: where mirrors, and whatever this machine serves on its loopback, can be reached.
        """

    def attempt(
        self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[AttemptOptions]
    ) -> tuple[Result, list[str]]:
        """Run a program that may fail; also the lines that it printed, which are in the log."""

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        """Write a file and its parent directories; an existing file keeps its owner and, without ``mode``, its mode."""

    def read(self, path: str) -> str:
        """Return a file's text; bytes that are not UTF-8 are escaped."""


class Provisioner(Protocol):
    """The machines of one environment."""

    def archive(self, lab: Lab, suite: str) -> AbstractContextManager[Repository | None]:
        """Yield a suite of the lab's archive as the nodes reach it; None while there is none of that name."""

    def prepare(self, pristine: Pristine) -> AbstractContextManager[PristineSnapshot]:
        """Have a pristine state at hand.  Raises InfrastructureError when it cannot be made."""

    def create(self, snapshot: PristineSnapshot, names: Sequence[str]) -> list[Node]:
        """Create the environment and boot its nodes.  Destroys any previous environment of this name first."""

    def nodes(self) -> list[Node]:
        """Return the nodes; an empty list for an environment that does not exist or is incomplete."""

    def reaching(self, nodes: Sequence[Node], repository: Repository | None) -> Sequence[Node]:
        """Return nodes whose ``online`` programs reach a repository that this machine serves on its loopback."""

    def collect_logs(self, into: Path) -> None:
        """Write all logs of the nodes, in a directory for each, whatever state the nodes are in."""

    def beside(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result:
        """Run a program of this machine from where the nodes can be reached, but on none of them."""

    def route(self, network: str, via: str) -> None:
        """Route a network that is connected to a node, whose address is ``via``, for every client of the nodes."""

    def reset(self) -> list[Node]:
        """Bring all nodes back to their pristine state.  Raises InfrastructureError when the environment has none."""

    def destroy(self) -> bool:
        """Leave nothing, whatever state the environment is in; whether there was anything."""
