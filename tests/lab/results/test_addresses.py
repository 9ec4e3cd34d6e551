"""Names in addresses are safe, and no two the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.results.addresses import part


@pytest.mark.parametrize("name", ["nova", "python3.11", "libstdc++", "c0ffee" * 6, "trunk-noble", "2026-01"])
def test_part_of_plain_name_is_unchanged(name: str) -> None:
    assert part(name) == name


@pytest.mark.parametrize(
    "name, begins",
    [
        ("", "~"),
        ("..", "~"),
        (".htaccess", "htaccess~"),
        ("../../etc/passwd", "passwd~"),
        ("unit/test_api/test_create[a=1]", "test_create-a-1~"),
        ("<script>alert(1)</script>", "script~"),
        ("C:\\x", "C-x~"),
        ("é" * 300, "~"),
        ("a" * 81, "a" * 40 + "~"),
        ("a\x00b", "a-b~"),
        ("a~b", "a-b~"),
        ("feed.atom", "feed.atom~"),
        ("nova.json", "nova.json~"),
    ],
)
def test_part_of_other_name_is_plain(name: str, begins: str) -> None:
    assert re.fullmatch(re.escape(begins) + "[0-9a-f]{12}", part(name))


@given(st.text(), st.text())
def test_part_is_safe_and_unique(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9.+_~-]{1,80}", part(one))
    assert not part(one).startswith((".", "-"))
    assert (part(one) == part(other)) == (one == other)
