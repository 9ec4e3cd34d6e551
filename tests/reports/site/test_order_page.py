"""The page of the order of builds: components that the site has, levels and circles."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.results.component_graph import ComponentGraph
from reports.site.order_page import OrderPage, order_page
from reports.site.render import renderer
from tests.reports.site.test_lab_health import SITE


def page(relations: dict[str, str], known: str) -> OrderPage:
    graph = ComponentGraph(
        {name: {need: (f"{need}-dev",) for need in needs.split()} for name, needs in relations.items()}, {}, {}
    )
    lanes = [SimpleNamespace(component=name, track="trunk") for name in known.split()]
    return order_page({"trunk": graph, "private": graph}, cast("Any", lanes))


@pytest.mark.parametrize(
    "relations, known, levels, circles",
    [
        ({"a": "b", "b": ""}, "a b", [["b"], ["a"]], ()),
        ({"a": "b", "b": "a", "c": "a"}, "a b c", [["a", "b"], ["c"]], (("a", "b"),)),
        ({"a": "hidden", "hidden": ""}, "a", [["a"]], ()),
    ],
    ids=["chain", "circle", "unpublished"],
)
def test_order_page(
    relations: dict[str, str], known: str, levels: list[list[str]], circles: tuple[tuple[str, ...], ...]
) -> None:
    [order] = page(relations, known).tracks
    assert ([[one.component for one in level] for level in order.levels], order.circles) == (levels, circles)
    text = renderer(SITE).render("order.html", "order/", page=page(relations, known)).decode()
    assert "hidden" not in text
    assert all(f'href="../p/{name}/trunk/">{name}</a>' in text for name in known.split())
    assert ("A circle:" in text) == bool(circles)
    assert "<script>" not in text


def test_order_page_without_archive() -> None:
    assert "are not known here" in renderer(SITE).render("order.html", "order/", page=OrderPage(tracks=())).decode()
