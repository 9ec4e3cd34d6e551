"""The order of runs, with clocks that are wrong and jobs that were made again."""

from __future__ import annotations

import pytest

from lab.store.run_order import RunPlace, in_order


@pytest.mark.parametrize(
    "runs, expected",
    [
        ("", ""),
        ("1@0 2@10 3@20", "1 2 3"),
        ("3@20 1@0 2@10", "1 2 3"),  # found in any order
        ("1@0 2@23 3@10 4@20 5@30", "1 2 3 4 5"),  # a clock was ahead
        ("1@0 2@23 3@24 4@10 5@30", "1 2 3 4 5"),
        ("1@0 2@10 3@4 4@5 5@30", "1 2 3 4 5"),  # a clock was late
        ("1@0 2@23 b1@15 3@10 b2@25", "1 2 3 b1 b2"),  # the other job has numbers of its own
        ("1@0 2@10 1@12 2@20", "1 2 1 2"),  # made again
        ("80@0 81@10 1@12 2@20", "80 81 1 2"),
        ("8@0 9@30 7@60", "8 9 7"),  # more than a clock is wrong
        ("1@0 5@10 5@10", "1 5 5"),
    ],
)
def test_order_of_runs(runs: str, expected: str) -> None:
    def place(run: str) -> RunPlace:
        name, _, hours = run.partition("@")
        return RunPlace(name.strip("0123456789"), int(name.strip("b")), int(hours) * 3600)

    assert " ".join(run.partition("@")[0] for run in in_order(runs.split(), place)) == expected
