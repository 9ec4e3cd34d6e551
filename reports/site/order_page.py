"""The page of the order of builds: which components need which others, by level, and circles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from lab.results import addresses
from lab.results.component_graph import ComponentGraph
from reports.model import FrozenModel
from reports.site.lane_models import Lane

PATH: Final = "order/"


class OrderedComponent(FrozenModel):
    """A component with the components that it build-depends on and those that build-depend on it."""

    component: str
    path: str
    needs: tuple[str, ...]
    needed_by: tuple[str, ...]
    in_circle: bool


class TrackOrder(FrozenModel):
    """The components of a track by level, and the groups that need each other."""

    track: str
    levels: tuple[tuple[OrderedComponent, ...], ...]
    circles: tuple[tuple[str, ...], ...]


class OrderPage(FrozenModel):
    """The order of builds on each track; none where the lab's archive is not known to the publisher."""

    kind: Literal["order"] = "order"
    tracks: tuple[TrackOrder, ...]


def order_page(graphs: Mapping[str, ComponentGraph], lanes: Sequence[Lane]) -> OrderPage:
    """Return the page of the components that the site has, and of no others."""
    known: dict[str, set[str]] = {}
    for lane in lanes:
        known.setdefault(lane.track, set()).add(lane.component)
    return OrderPage(
        tracks=tuple(
            _track_order(track, public_part(graphs[track], known[track]))
            for track in sorted(graphs.keys() & known.keys())
        )
    )


def public_part(graph: ComponentGraph, names: set[str]) -> ComponentGraph:
    """Return a graph with some components only."""
    relations = {
        name: {need: texts for need, texts in needs.items() if need in names}
        for name, needs in graph.relations.items()
        if name in names
    }
    return ComponentGraph(relations, {}, {})


def _track_order(track: str, graph: ComponentGraph) -> TrackOrder:
    members = {name for circle in graph.circles for name in circle}
    return TrackOrder(
        track=track,
        levels=tuple(
            tuple(
                OrderedComponent(
                    component=name,
                    path=addresses.lane_path(name, track),
                    needs=tuple(sorted(graph.needs[name])),
                    needed_by=tuple(sorted(graph.users(name))),
                    in_circle=name in members,
                )
                for name in level
            )
            for level in graph.levels
        ),
        circles=graph.circles,
    )
