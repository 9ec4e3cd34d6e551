"""The graph of components as text, as data for JSON, and in the language DOT of Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lab.results.component_graph import ComponentGraph


def text_lines(graph: ComponentGraph) -> Iterator[str]:
    """Yield the lines of the graph: the components by level, with their needs; then circles."""
    for number, level in enumerate(graph.levels, 1):
        yield f"level {number}"
        for name in level:
            needs = ", ".join(sorted(graph.needs[name]))
            yield f"  {name} {graph.versions.get(name) or '(never built)'}" + (f" needs {needs}" if needs else "")
    for circle in graph.circles:
        yield f"circle: {', '.join(circle)}: their build dependencies on each other do not order them"
        for name in circle:
            for need, texts in sorted(graph.relations[name].items()):
                if need in circle:
                    yield f"  {name} needs {need}: {', '.join(texts)}"
    for name, reason in sorted(graph.unknown.items()):
        yield f"unknown: {name}: {reason}"


def as_data(graph: ComponentGraph) -> dict[str, Any]:
    """Return the graph for JSON."""
    level = {name: number for number, names in enumerate(graph.levels, 1) for name in names}
    return {
        "components": [
            {
                "name": name,
                "version": graph.versions.get(name, ""),
                "level": level[name],
                "needs": {need: list(texts) for need, texts in sorted(needs.items())},
                "needed_by": sorted(graph.users(name)),
            }
            for name, needs in sorted(graph.relations.items())
        ],
        "levels": [list(names) for names in graph.levels],
        "circles": [list(names) for names in graph.circles],
        "unknown": dict(sorted(graph.unknown.items())),
    }


def dot_lines(title: str, graph: ComponentGraph) -> Iterator[str]:
    """Yield the graph in DOT, an arrow from each component to what it needs; circles are red."""
    circle = {name: number for number, names in enumerate(graph.circles) for name in names}
    yield f"digraph {_quoted(title)} {{"
    yield "  rankdir=BT; node [shape=box];"
    for name in sorted(graph.relations):
        yield f"  {_quoted(name)}{' [color=red]' if name in circle else ''};"
    for name, needs in sorted(graph.relations.items()):
        for need in sorted(needs):
            inside = name in circle and circle.get(need) == circle[name]
            yield f"  {_quoted(name)} -> {_quoted(need)}{' [color=red]' if inside else ''};"
    yield "}"


def _quoted(text: str) -> str:
    return json.dumps(text)
