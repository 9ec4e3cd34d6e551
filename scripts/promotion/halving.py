"""The search for the largest part of a set that passes, by halving: pure, for items of any kind.

A probe is expensive: it deploys a state.  The search first tries the whole set.  Where that fails, it adds the items to
the last good set in their order, and finds the first addition that fails by halving.  That addition is a culprit: it is
held back, and the search begins again with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True)
class Culprit(Generic[Item]):
    """Items that fail when they are added to a good set; ``failed`` is that set with them."""

    items: frozenset[Item]
    failed: frozenset[Item]


@dataclass(frozen=True)
class Halved(Generic[Item]):
    """The largest part found that passes, and the culprits."""

    good: frozenset[Item]
    culprits: tuple[Culprit[Item], ...]


def halve(
    order: Sequence[Item],
    largest: Callable[[frozenset[Item]], frozenset[Item]],
    passes: Callable[[frozenset[Item]], bool],
) -> Halved[Item]:
    """Return the largest part of a set that passes.

    ``largest`` returns the largest part of a set that can be installed; ``passes`` probes such a part, and is never asked
    about the empty set, which is the state of the label.  The result has passed.  Each culprit has failed together with
    a set that has passed, and was not tried alone where the others of its group need it.
    """
    probes: dict[frozenset[Item], bool] = {frozenset(): True}

    def probed(part: frozenset[Item]) -> bool:
        if part not in probes:
            probes[part] = passes(part)
        return probes[part]

    good: frozenset[Item] = frozenset()
    rest, culprits = frozenset(order), list[Culprit[Item]]()
    while not probed(whole := largest(rest)):
        good, culprit = _narrow(order, good, whole, largest, probed)
        culprits.append(culprit)
        rest -= culprit.items
    return Halved(whole, tuple(culprits))


def _narrow(
    order: Sequence[Item],
    good: frozenset[Item],
    bad: frozenset[Item],
    largest: Callable[[frozenset[Item]], frozenset[Item]],
    probed: Callable[[frozenset[Item]], bool],
) -> tuple[frozenset[Item], Culprit[Item]]:
    """Return the last good set on the way from a good set to a bad one, and the addition that fails there."""
    todo = [item for item in order if item in bad - good]
    first: set[Item] = set()
    while True:
        start, low, high = good, 0, len(todo)
        while high - low > 1:
            middle = (low + high) // 2
            part = largest(start | frozenset(todo[:middle]))
            if part == good:
                low = middle
            elif part == bad:
                high = middle
            elif probed(part):
                low, good = middle, part
            else:
                high, bad = middle, part
        last, added = todo[high - 1], bad - good
        if len(added) == 1 or last in first:
            return good, Culprit(added, bad)
        # Several items became installable with the last one: begin with it, to separate it from those that need it.
        first.add(last)
        todo = [last, *(item for item in order if item in added and item != last)]
