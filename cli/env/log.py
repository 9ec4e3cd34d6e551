"""The log of an environment verb, and the nodes it prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import click

from lab.store.runs import Store
from scripts.drivers.interfaces import Node


def opened(store: Store, name: str) -> IO[str]:
    """Open the log file of an environment for writing."""
    path = store.root / "logs" / f"env-{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8", errors="surrogateescape")


def print_nodes(name: str, nodes: Sequence[Node]) -> None:
    """Print each node with the command that opens a shell on it."""
    for node in nodes:
        click.echo(f"{name}: {node.name} {node.address}; open a shell: qalab env shell {name} --node {node.name}")
