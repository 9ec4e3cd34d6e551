"""Configuration files on nodes that several roles may change at the same time."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from scripts.drivers.interfaces import Node
from scripts.services import ini_files


@dataclass(frozen=True)
class NodeFiles:
    """A lock for each file of each node."""

    locks: dict[tuple[str, str], Lock] = field(default_factory=dict)

    def set_options(self, node: Node, path: str, options: str) -> None:
        """Set options in an INI file that a package has installed; roles that share the file take turns."""
        with self.locks.setdefault((node.name, path), Lock()):
            node.write(path, ini_files.set_options(node.read(path), options))
