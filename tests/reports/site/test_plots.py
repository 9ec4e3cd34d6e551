"""Plots: the positions of points, and scales of round numbers."""

from __future__ import annotations

import pytest

from reports.site.plots import plot, scale_top, words


@pytest.mark.parametrize(
    "longest, top, half",
    [
        (0, "1 s", "0.5 s"),
        (43, "60 s", "30 s"),
        (61, "2 min", "60 s"),
        (104, "2 min", "60 s"),
        (130, "3 min", "90 s"),
        (1100, "20 min", "10 min"),
        (3000, "60 min", "30 min"),
        (3700, "2 h", "60 min"),
        (20_000, "6 h", "3 h"),
    ],
)
def test_scale_has_round_numbers(longest: float, top: str, half: str) -> None:
    assert scale_top(longest) >= longest
    assert (words(scale_top(longest), "seconds"), words(scale_top(longest) / 2, "seconds")) == (top, half)


def test_plot_without_points() -> None:
    assert plot([]).dots == ()
    assert [text for _, text in plot([], "per cent").scale] == ["0 %", "50 %", "100 %"]
