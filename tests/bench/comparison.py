"""What was measured, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import median
from typing import Any

from rich.table import Table

OURS = ("first commit", "second commit", "third commit")
SBUILD = ("sbuild, its lintian included", "sbuild --no-run-lintian")
GLUE = ("jenkins-debian-glue, base.cow updated", "jenkins-debian-glue, base.cow kept")
FIRST = "at most 1.10 the first time"
LATER = "at most 0.50 from the second commit on"
OF_GLUE = "at most 0.50 of jenkins-debian-glue"

Seconds = Mapping[str, Sequence[float]]  # of each contestant, a number a round


@dataclass(frozen=True)
class Comparison:
    """The build phase for a commit against somebody else: medians of seconds, and of each round's ratio."""

    ours: str
    seconds: float
    against: str
    their_seconds: float
    ratio: float
    lowest: float
    highest: float
    aim: str


def aim(ours: str, against: str) -> str:
    if against in GLUE:
        return OF_GLUE
    return FIRST if ours == OURS[0] else LATER


def comparisons(seconds: Seconds) -> Iterator[Comparison]:
    """All that was measured of us against all that was measured of the others, in the table's order."""
    for ours in OURS:
        for against in (*SBUILD, *GLUE):
            # Round by round, so that a machine that grows slower meanwhile is slower for both.
            ratios = [a / b for a, b in zip(seconds[ours], seconds[against], strict=True)]
            yield Comparison(ours, median(seconds[ours]), against, median(seconds[against]),
                             median(ratios), min(ratios), max(ratios), aim(ours, against))  # fmt: skip


def as_json(seconds: Seconds) -> dict[str, Any]:
    return {"seconds": dict(seconds), "comparisons": [asdict(row) for row in comparisons(seconds)]}


def table(title: str, seconds: Seconds) -> Table:
    result = Table(title=title, title_justify="left")
    for name in ("qalab", "seconds", "against", "seconds", "ratio", "all rounds", "aim"):
        result.add_column(name, justify="left" if name in {"qalab", "against", "aim"} else "right", no_wrap=True)
    for ours, rows in groupby(comparisons(seconds), key=lambda row: row.ours):
        for row in rows:
            figures = (f"{row.their_seconds:.1f}", f"{row.ratio:.2f}", f"{row.lowest:.2f} to {row.highest:.2f}")
            result.add_row(ours, f"{row.seconds:.1f}", row.against, *figures, row.aim)
        result.add_section()
    return result
