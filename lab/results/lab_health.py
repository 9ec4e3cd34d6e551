"""The health of the lab itself: errors in a row, and the time without a verdict.

A lab that only errs learns nothing about the tested software: what passed last is then unknown, not passing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final

from lab.base.errors import Verdict
from lab.results.history import of_verdict

ERRORS_IN_A_ROW: Final = 5
SILENT_DAYS: Final = 7  # with errors, and without a verdict
QUIET_DAYS: Final = 30  # without any build, while others have some
ERRORS: Final[frozenset[Verdict]] = frozenset({"error", "aborted"})


def errors_in_a_row(verdicts: Sequence[Verdict]) -> int:
    """Return the number of errors and aborts after the last verdict; skips do not count."""
    count = 0
    for verdict in reversed(verdicts):
        if of_verdict(verdict) != "neither":
            break
        count += verdict in ERRORS
    return count


def is_silent(errors: int, days: float) -> bool:
    """Return whether nothing is known any more, after errors in a row and days without a verdict."""
    return errors >= ERRORS_IN_A_ROW or (errors > 0 and days >= SILENT_DAYS)


def episodes(builds: Iterable[tuple[Hashable, Verdict]], most: int) -> Iterator[int]:
    """Yield the indexes of the builds, oldest first and each with its lane, with which the lab becomes ill.

    An episode begins when a lane has ``most`` errors in a row, and ends when no lane has.
    """
    errors: dict[Hashable, int] = {}
    ill: set[Hashable] = set()
    for place, (lane, verdict) in enumerate(builds):
        if of_verdict(verdict) != "neither":
            errors[lane] = 0
            ill.discard(lane)
        elif verdict in ERRORS:
            errors[lane] = errors.get(lane, 0) + 1
            if errors[lane] == most:
                if not ill:
                    yield place
                ill.add(lane)
