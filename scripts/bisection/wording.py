"""The words of a bisection: a result, the next axis, the outcome.  Pure functions."""

from __future__ import annotations

from collections import Counter

from lab.base.text import plural
from lab.store.bisections import BisectedChange, Bisection, BisectionAxis, BisectionTest


def of_test(found: Bisection, test: BisectionTest) -> str:
    """Return a result in a line."""
    line = found.axes[test.axis]
    kept = "" if test.built else " (kept build)"
    point = f"{test.point} of {len(line.changes)}"
    message = f": {test.message}" if test.message else ""
    return f"{point}: {_point(found, test)}: {test.result}{kept}{message}"


def _point(found: Bisection, test: BisectionTest) -> str:
    line = found.axes[test.axis]
    if not test.point:
        return found.good.commit[:12] if line.kind == "upstream" else "the older environment"
    return str(line.changes[test.point - 1])


def of_axis(found: Bisection, axis: BisectionAxis) -> str:
    """Return the line that announces the search of another axis."""
    kinds = Counter(change.kind for change in axis.changes)
    listed = ", ".join(plural(count, kind) for kind, count in kinds.items())
    return f"{found.good.commit[:12]} fails today: no upstream commit of the range is at fault; now: {listed}"


def of_outcome(found: Bisection) -> str:
    """Return the outcome in a sentence."""
    good, bad = (end.commit[:12] for end in (found.good, found.bad))
    return {
        "found": lambda: _proof(found, found.suspects[0]),
        "range": lambda: _range(found),
        "bad is good": lambda: f"{found.sought}: {bad} passes today: it was fixed, or failed for another reason",
        "unexplained": lambda: (
            f"{found.sought}: {good} fails today{', with the older packaging and packages too' * (len(found.axes) > 1)}: "
            "what has changed is not recorded (lab.yaml, the machine, the network, the time)"
        ),
        "end not testable": lambda: f"{found.sought}: an end of the range cannot be tested: {_last_skip(found)}",
        "unsure": lambda: f"{found.sought}: the results contradict each other",
        "fixed": lambda: f"{found.sought}: fixed meanwhile",
    }.get(found.outcome, lambda: f"{found.sought}: {found.outcome}")()


def _proof(found: Bisection, culprit: BisectedChange) -> str:
    point = found.axes[-1].changes.index(culprit) + 1
    (passed, _), (_, failed) = before, after = _counts(found, point - 1), _counts(found, point)
    words = ("its parent", "it") if culprit.kind == "upstream commit" else ("without it, that", "with it, that")
    return (
        f"proved: {culprit} broke {found.sought}; {words[0]} passes {passed} of {sum(before)}, "
        f"{words[1]} fails {failed} of {sum(after)}"
    )


def _range(found: Bisection) -> str:
    one_of = f"{found.sought}: broken by one of {len(found.suspects)} changes"
    if found.axes[-1].kind == "distribution" and not _counts(found, 0)[0]:
        return f"{one_of} of the distribution, by elimination: {_listed(found)}"
    return f"{one_of}; those between them cannot be tested: {_listed(found)}"


def _last_skip(found: Bisection) -> str:
    return next((test.message for test in reversed(found.tests) if test.result in {"skip", "error"}), "no result")


def _counts(found: Bisection, point: int) -> tuple[int, int]:
    """Return how often a point of the last axis has passed and failed."""
    results = [test.result for test in found.tests if (test.axis, test.point) == (len(found.axes) - 1, point)]
    return results.count("good"), results.count("bad")


def _listed(found: Bisection, most: int = 5) -> str:
    more = len(found.suspects) - most
    return "; ".join(map(str, found.suspects[:most])) + (f" and {more} more" if more > 0 else "")
