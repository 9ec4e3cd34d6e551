"""Short texts."""

from __future__ import annotations

import pytest

from lab.base.text import first_of


@pytest.mark.parametrize(
    "names, text",
    [
        ([], ""),
        (["error a"], "error a"),
        (["error a", "error a", "error b"], "error a, error b"),
        (["error a", "error b", "error c"], "error a, error b, error c"),
        (
            ["error a", "error b", "warning c", "error a", "error d", "error e"],
            "error a, error b, warning c and 2 more",
        ),
    ],
)
def test_first_of_names(names, text):
    assert first_of(names) == text
