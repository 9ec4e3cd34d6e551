"""n-section: the points of a range to test next, for several tests at the same time.  Pure functions.

A range has a good point and a later bad one.  ``count`` new points cut it so that the largest part is as small as
possible; the points that are being tested already count as cuts.  A point that cannot be tested is avoided, and with it
the points near it: commits that do not build often follow each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise


def next_points(good: int, bad: int, busy: Collection[int], skipped: Collection[int], count: int) -> list[int]:
    """Return at most ``count`` points between a good and a bad one, in their order; maybe none.

    ``busy``: points that are being tested.  ``skipped``: points that cannot be tested.
    """
    cuts = sorted({point for point in busy if good < point < bad})
    chunks = [*pairwise([good, *cuts, bad])]
    free = [[point for point in range(low + 1, high) if point not in skipped] for low, high in chunks]
    new = [0] * len(chunks)  # the number of new points in each chunk
    for _ in range(count):
        open_chunks = [place for place in range(len(chunks)) if new[place] < len(free[place])]
        if not open_chunks:
            break
        new[max(open_chunks, key=lambda place: (_largest(chunks[place], new[place] + 1), -place))] += 1
    return [
        point
        for (low, high), points, number in zip(chunks, free, new, strict=True)
        for point in _spread(low, high, points, number)
    ]


def _largest(chunk: tuple[int, int], parts: int) -> int:
    """Return the size of the largest of some equal parts of a chunk."""
    return -((chunk[0] - chunk[1]) // parts)


def _spread(low: int, high: int, free: Sequence[int], number: int) -> list[int]:
    """Return a number of free points that cut a chunk in parts of nearly equal size."""
    left = set(free)
    blocked = [point for point in range(low + 1, high) if point not in left]
    chosen: list[int] = []
    for part in range(1, number + 1):
        ideal = low - (part * (low - high) // (number + 1))
        point = _nearest(ideal, sorted(left), blocked)
        left.remove(point)
        chosen.append(point)
    return sorted(chosen)


def _nearest(ideal: int, free: Sequence[int], blocked: Sequence[int]) -> int:
    """Return the free point nearest to an ideal one; the more points are blocked, the farther from all of these."""

    def distance(point: int) -> int:
        return min((abs(point - other) for other in blocked), default=0)

    least = min(2 ** max(len(blocked) - 1, 0), max(map(distance, free))) if blocked else 0
    return min((point for point in free if distance(point) >= least), key=lambda point: (abs(point - ideal), point))


def rounds(size: int, agents: int) -> int:
    """Return the number of rounds that find one change of ``size``, without repeats and points that cannot be tested."""
    count = 0
    while size > 1:
        size = -(-size // (agents + 1))
        count += 1
    return count
