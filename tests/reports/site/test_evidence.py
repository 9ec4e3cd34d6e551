"""The evidence of a failure on the page of a build: the end of a traceback is what people need."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.site.builds import shortened_evidence

FRAMES = "Traceback (most recent call last):\n" + "".join(
    f'  File "x.py", line {n}, in f\n    f()\n' for n in range(300)
)
ERROR = "RuntimeError: THE ACTUAL ERROR"


@pytest.mark.parametrize("room", [500, 1_000, 4_000])
def test_end_of_a_long_traceback_is_kept(room: int) -> None:
    shown = shortened_evidence(FRAMES + ERROR, room)
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith(ERROR)
    assert " lines left out …]\n" in shown
    assert len(html.escape(shown).encode()) <= room


def test_evidence_of_one_long_line_says_how_much_is_left_out() -> None:
    assert " 3,5" in shortened_evidence("y" * 4_000, 500)
    assert " characters left out …]\n" in shortened_evidence("y" * 4_000, 500)


@pytest.mark.parametrize("text, room", [("", 0), ("short", 100), ("a\nb\n", 100), ("<&>" * 5, 100)])
def test_short_evidence_is_unchanged(text: str, room: int) -> None:
    assert shortened_evidence(text, room) == text


@given(st.text("ab<&\n\u00e4", max_size=400), st.integers(0, 500))
def test_evidence_fits(text: str, room: int) -> None:
    shown = shortened_evidence(text, room)
    assert len(html.escape(shown).encode()) <= max(room, 0)
    assert shown == text or not shown or "left out" in shown
