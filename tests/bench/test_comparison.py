"""The table of the bench: medians, ratios round by round, and the aim of each."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.bench.comparison import FIRST, GLUE, LATER, OF_GLUE, OURS, SBUILD, as_json, comparisons, table

SECONDS = {
    OURS[0]: [11.0, 20.0, 33.0],
    OURS[1]: [4.0, 10.0, 12.0],
    OURS[2]: [5.0, 8.0, 15.0],
    SBUILD[0]: [10.0, 25.0, 30.0],
    SBUILD[1]: [10.0, 20.0, 30.0],
    GLUE[0]: [50.0, 50.0, 60.0],
    GLUE[1]: [40.0, 40.0, 60.0],
}


def test_ratios_are_taken_round_by_round() -> None:
    row = next(iter(comparisons(SECONDS)))
    assert (row.ours, row.seconds, row.against, row.their_seconds) == (OURS[0], 20.0, SBUILD[0], 25.0)
    assert (row.ratio, row.lowest, row.highest) == pytest.approx((1.1, 0.8, 1.1))  # and not 20 / 25


def test_each_pair_has_its_aim() -> None:
    rows = [(row.ours, row.against, row.aim) for row in comparisons(SECONDS)]
    assert rows == [
        *((OURS[0], theirs, FIRST if theirs in SBUILD else OF_GLUE) for theirs in SBUILD + GLUE),
        *((OURS[1], theirs, LATER if theirs in SBUILD else OF_GLUE) for theirs in SBUILD + GLUE),
        *((OURS[2], theirs, LATER if theirs in SBUILD else OF_GLUE) for theirs in SBUILD + GLUE),
    ]


def test_the_table_shows_it_side_by_side() -> None:
    shown = io.StringIO()
    Console(width=140, file=shown).print(table("title", SECONDS))
    line = next(line for line in shown.getvalue().splitlines() if OURS[1] in line and GLUE[1] in line)
    assert [word.strip() for word in line.split("│")[1:-1]] == [
        OURS[1], "10.0", GLUE[1], "40.0", "0.20", "0.10 to 0.25", OF_GLUE,
    ]  # fmt: skip


def test_json_has_every_round() -> None:
    data = as_json(SECONDS)
    assert data["seconds"][OURS[2]] == [5.0, 8.0, 15.0]
    assert len(data["comparisons"]) == 12
