"""Configuration files on nodes that several roles may change at the same time."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from scripts.targets import ini
from scripts.targets.seams import Node


@dataclass(frozen=True)
class NodeFiles:
    """A lock for each file of each node."""

    locks: dict[tuple[str, str], Lock] = field(default_factory=dict)

    def set_options(self, node: Node, path: str, options: str) -> None:
        """Set options in an INI file that a package has installed; roles that share the file take turns."""
        with self.locks.setdefault((node.name, path), Lock()):
            node.write(path, ini.set_options(node.read(path), options))
