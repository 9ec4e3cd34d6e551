"""The table of the overhead: the best rounds count, and growth is a slope that one slow run does not make."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from tests.bench.overhead import Overhead, Spent, as_json, growth, shell_seconds, table

HELLO = Overhead(
    "hello",
    plain=[Spent(20.0, 11.0), Spent(10.0, 12.0)],
    sbuild=[Spent(25.0, 20.0), Spent(30.0, 20.0)],
    glue=[Spent(40.0, 30.0), Spent(35.0, 31.0)],
    ours=[Spent(14.0, 21.0), Spent(90.0, 18.0)],
    lintian=[6.5, 2.5],
)


def test_the_best_rounds_count() -> None:
    assert (HELLO.seconds, HELLO.cpu, HELLO.percent) == (4.0, 7.0, 40.0)
    assert shell_seconds("2m3.250s") == 123.25


@pytest.mark.parametrize(
    "seconds, expected",
    [
        ([5.0] * 20, 0.0),
        ([5.0] * 10 + [50.0] + [5.0] * 9, 0.0),
        ([float(n) for n in range(20)], 1.0),
        ([3.0, 1.0], -2.0),
    ],
)
def test_growth(seconds: list[float], expected: float) -> None:
    assert growth(seconds) == pytest.approx(expected)


def test_the_table_shows_it_side_by_side() -> None:
    shown = io.StringIO()
    Console(width=200, file=shown).print(table([HELLO], [5.0] * 20))
    assert re.search(r"4\.0 s \(7\.0\), 40\.0 % .* 2\.5 ", shown.getvalue())
    assert "35.0 (30.0)" in shown.getvalue()
    assert "+0.000 s a commit" in shown.getvalue()
    assert as_json([HELLO], [5.0])["packages"][0]["overhead"] == 4.0
