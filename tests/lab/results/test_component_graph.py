"""The graph of components: circles, levels, and what an order can satisfy."""

from __future__ import annotations

import pytest

from lab.results.component_graph import ComponentGraph, closure, levels, merged


def graph(**needs: str) -> ComponentGraph:
    relations = {name: {need: (f"{need}-dev",) for need in needed.split()} for name, needed in needs.items()}
    return ComponentGraph(relations, dict.fromkeys(needs, "1.0"), {})


@pytest.mark.parametrize(
    "needs, circles, expected",
    [
        ({}, (), ()),
        ({"a": ""}, (), (("a",),)),
        ({"a": "b", "b": ""}, (), (("b",), ("a",))),
        ({"a": "b c", "b": "d", "c": "d", "d": ""}, (), (("d",), ("b", "c"), ("a",))),
        ({"a": "b", "b": "a"}, (("a", "b"),), (("a", "b"),)),
        ({"a": "b", "b": "c", "c": "a", "d": "c", "e": ""}, (("a", "b", "c"),), (("a", "b", "c", "e"), ("d",))),
        ({"a": "b", "b": "a x", "x": "", "c": "d", "d": "c a"}, (("a", "b"), ("c", "d")), (("x",), ("a", "b"), ("c", "d"))),
    ],
    ids=["empty", "one", "two", "diamond", "circle", "circle-of-three-with-user", "two-circles"],
)  # fmt: skip
def test_graph_levels_and_circles(
    needs: dict[str, str], circles: tuple[tuple[str, ...], ...], expected: tuple[tuple[str, ...], ...]
) -> None:
    found = graph(**needs)
    assert (found.circles, found.levels) == (circles, expected)


def test_graph_order_drops_edges_inside_circle_only() -> None:
    found = graph(a="b x", b="a", x="", c="a")
    assert found.order == {"a": {"x"}, "b": set(), "x": set(), "c": {"a"}}
    assert merged(found.order, found.circles)["b"] == {"x"}


def test_graph_users_are_direct() -> None:
    found = graph(a="b", b="c", c="", d="c")
    assert found.users("c") == ("b", "d")


def test_closure_includes_indirect_needs() -> None:
    assert closure(graph(a="b", b="c", c="").needs) == {"a": {"b", "c"}, "b": {"c"}, "c": set()}


def test_levels_refuse_circle() -> None:
    with pytest.raises(ValueError, match="a circle: a, b"):
        levels(graph(a="b", b="a").needs)


def test_graph_of_long_chain_needs_no_recursion() -> None:
    number = 3000
    needs = {f"c{each}": frozenset({f"c{each + 1}"} if each < number else ()) for each in range(number + 1)}
    found = ComponentGraph({name: dict.fromkeys(each, ("x",)) for name, each in needs.items()}, {}, {})
    assert found.circles == ()
