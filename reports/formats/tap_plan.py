"""The plan of a TAP document, and what is wrong with it ("Plan" of the TAP 14 specification)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

FEW = 5
MISSING = "no plan: the tests ended early"


def broken(plans: Sequence[tuple[int, int, str]], numbers: Sequence[int], has_subtests: bool) -> str:  # noqa: FBT001 - a fact of the document
    """Return the error in the plan, or in the numbers of the tests; "" if both are correct.

    ``plans``: for each, the number of tests, the number of points before the plan, and its reason.
    """
    count = len(numbers)
    if not plans:
        return MISSING if numbers or has_subtests else ""
    planned, before, _ = plans[0]
    if len(plans) > 1:
        return f"{len(plans)} plans"
    if planned != count:
        return f"{planned} planned, {count} run"
    if 0 < before < count:
        return "the plan is between tests: it must come first or last"
    times = Counter(numbers)
    if wrong := [number for number in times if not 1 <= number <= planned]:
        return f"outside the plan 1..{planned}: test {', '.join(map(str, wrong[:FEW]))}".replace("-1", "?")
    duplicates = [number for number, count_of in times.items() if count_of > 1]
    return f"more than once: test {', '.join(map(str, duplicates[:FEW]))}" if duplicates else ""
