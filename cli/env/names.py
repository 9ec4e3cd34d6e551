"""The environment and the node that a verb names."""

from __future__ import annotations

from collections.abc import Sequence

from cli.groups import nearest
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from scripts.deployment import environments
from scripts.drivers.interfaces import Node


def check_environment(name: str, known: Sequence[str]) -> None:
    """Raise ConfigurationError for a name that is not known, with the nearest known one."""
    if name not in known:
        near = nearest(name, [*known])
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigurationError(f"no environment {name}; known: {', '.join(known) or 'none'}{hint}")


def nodes_of(lab: Lab, name: str) -> dict[str, Node]:
    """Return the nodes of an environment by name.  Raises ConfigurationError for an environment without nodes."""
    nodes = {node.name: node for node in environments.target(lab, name).nodes()}
    if not nodes:
        check_environment(name, environments.names(lab))
        raise ConfigurationError(f"{name} is incomplete: its nodes do not run", hint=f"qalab env destroy {name}")
    return nodes


def chosen_node(lab: Lab, name: str, node: str | None) -> Node:
    """Return a node of an environment, by default the first.  Raises ConfigurationError for an unknown one."""
    nodes = nodes_of(lab, name)
    if node and node not in nodes:
        raise ConfigurationError(f"{name}: no node {node}; known: {', '.join(nodes)}")
    return nodes[node] if node else next(iter(nodes.values()))
