"""The language of ``tree=``, and what ``depth=`` shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.jenkins.tree import Bean, parse, shown

LEAF = Bean("Leaf", {"name": "leaf", "size": 3}, brief=("name",))
NODE = Bean(
    "Node",
    {"name": "node", "leaf": LEAF, "leaves": lambda: [LEAF] * 3, "numbers": [0, 1, 2, 3]},
    brief=("name",),
    hidden={"secret": 7},
)
BRIEF = {"_class": "Leaf", "name": "leaf"}
FULL = {"_class": "Leaf", "name": "leaf", "size": 3}


@pytest.mark.parametrize(
    "tree, expected",
    [
        ("", {}),
        ("name", {"name": "node"}),
        ("name,nothing", {"name": "node"}),
        ("leaf", {"leaf": {"_class": "Leaf"}}),
        ("leaf[size],secret", {"leaf": {"_class": "Leaf", "size": 3}, "secret": 7}),
        ("leaves[name]{1,}", {"leaves": [BRIEF] * 2}),
        ("leaves[*]{,1}", {"leaves": [FULL]}),
        ("numbers{1,3}", {"numbers": [1, 2]}),
        ("numbers{2}", {"numbers": [2]}),
        ("numbers{9,12}", {"numbers": []}),
        ("name , numbers{,1}", {"name": "node", "numbers": [0]}),
        ("name,*[size]{1,2}", {"name": "node", "leaf": {"_class": "Leaf", "size": 3}, "numbers": [1], "secret": 7,
                               "leaves": [{"_class": "Leaf", "size": 3}]}),
    ],
)  # fmt: skip
def test_trees(tree: str, expected: dict[str, Any]) -> None:
    assert shown(NODE, parse(tree)) == {"_class": "Node", **expected}


@pytest.mark.parametrize("tree", ["a[b", "a]", "a[b]]", "a{x}", "{1,2}", "[a]", "a{1"])
def test_malformed_trees(tree: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the place is in the message, and its words are ours
        parse(tree)


@pytest.mark.parametrize("depth, leaf", [(0, BRIEF), (1, FULL), (5, FULL)])
def test_depth(depth: int, leaf: dict[str, Any]) -> None:
    assert shown(NODE, depth=depth) == {
        "_class": "Node", "name": "node", "leaf": leaf, "leaves": [leaf] * 3, "numbers": [0, 1, 2, 3],
    }  # fmt: skip
