"""Short texts."""

from __future__ import annotations

import pytest

from lab.base.text import first_of, shortened, without_middle


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


@pytest.mark.parametrize(
    "text, shown",
    [
        ("", ""),
        ("\n  a line\nanother", "a line"),
        ("nested exception is: \n\tIllegalArgument: id\nat x", "nested exception is: IllegalArgument: id"),
        ("one:\n\ntwo:\nthree\nfour", "one: two: three"),
        ("alone:", "alone:"),
        ("a very long line that ends so:\nmore", "a very long line th…"),
        ("0123456789012345678:\nmore", "0123456789012345678:"),
    ],
)
def test_shortened_has_what_a_colon_announces(text, shown):
    assert shortened(text, 20 if len(shown) == 20 else 300) == shown


@pytest.mark.parametrize(
    "line, shown",
    [
        ("", ""),
        ("12345678901234567890", "12345678901234567890"),
        ("Cannot load qos.so: undefined symbol", "Canno ... ned symbol"),
    ],
)
def test_long_line_keeps_its_reason(line: str, shown: str) -> None:
    assert without_middle(line, 20) == shown
