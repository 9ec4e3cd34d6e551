"""The result of a point from tests that can fail by themselves: a sequential probability ratio test.  Pure functions.

A case fails at good points with one rate, and at bad points with another.  Each result changes the odds of the two.  A
point is decided when a wrong decision is less probable than a limit.  Two kinds of cases are special:

- The rates are 0 and 1: one result decides.
- The case never fails at good points, and at bad ones with the rate p: one failure decides, and so do
  ceil(ln(limit) / ln(1 - p)) passes.

References: A. Wald, Sequential Tests of Statistical Hypotheses (1945).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

PointResult = Literal["good", "bad", "skip", "unknown"]

SEARCH_LIMIT: Final = 0.05
"""The probability of a wrong decision during the search; a later proof corrects it."""
PROOF_LIMIT: Final = 0.0001
PROOFS: Final = 3
"""The least number of equal results that prove a point."""
MOST_TESTS_OF_POINT: Final = 60
MOST_ERRORS: Final = 2
"""A point with so many errors of the lab is skipped."""
SOFT_GOOD, SOFT_BAD = 0.3, 0.9
"""The rates that are assumed where a case without a known rate both passes and fails at one point."""
SURE: Final = 0.01
"""The rates of a case that fails at random are never nearer to 0 and 1 than this."""


@dataclass(frozen=True)
class FailureRates:
    """How often the case fails at a good point and at a bad one."""

    good: float = 0.0
    bad: float = 1.0

    @property
    def distinguishable(self) -> bool:
        return self.good < self.bad


@dataclass(frozen=True)
class Evidence:
    """The results of a point: how often the case passed and failed, could not be tested, or the lab was at fault."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    errors: int = 0

    @property
    def count(self) -> int:
        return self.passed + self.failed

    @property
    def is_mixed(self) -> bool:
        return bool(self.passed and self.failed)

    def result(self, rates: FailureRates, limit: float = SEARCH_LIMIT) -> PointResult:
        """Return what the results say of the point."""
        if not self.count:
            return "skip" if self.skipped or self.errors >= MOST_ERRORS else "unknown"
        odds = self._odds(rates)
        if odds >= -math.log(limit):
            return "bad"
        return "good" if odds <= math.log(limit) else "unknown"

    def _odds(self, rates: FailureRates) -> float:
        """Return the logarithm of the odds that the point is bad."""
        if self.is_mixed and rates == FailureRates():
            return 0.0  # both rates are wrong, see `effective`
        failed = _ratio(rates.bad, rates.good) * self.failed if self.failed else 0.0
        passed = _ratio(1 - rates.bad, 1 - rates.good) * self.passed if self.passed else 0.0
        return failed + passed

    def proves(self, wanted: PointResult, rates: FailureRates) -> bool:
        """Return whether the results prove a result of the point."""
        number = self.failed if wanted == "bad" else self.passed
        return number >= PROOFS and self.result(rates, PROOF_LIMIT) == wanted

    def lacking(self, wanted: PointResult, rates: FailureRates) -> int:
        """Return the number of further results of the wanted kind that prove it."""
        name = "failed" if wanted == "bad" else "passed"
        return next(
            (
                more
                for more in range(MOST_TESTS_OF_POINT)
                if replace(self, **{name: getattr(self, name) + more}).proves(wanted, rates)
            ),
            MOST_TESTS_OF_POINT,
        )


def _ratio(bad: float, good: float) -> float:
    """Return the logarithm of a likelihood ratio."""
    if good <= 0:
        return math.inf
    return math.log(bad / good) if bad > 0 else -math.inf


def repeats(rate: float, limit: float = SEARCH_LIMIT) -> int:
    """Return how many passes show that a case is good which fails with a rate where it is bad."""
    return 1 if rate >= 1 else math.ceil(math.log(limit) / math.log1p(-rate))


def effective(rates: FailureRates, found: Iterable[Evidence]) -> FailureRates:
    """Return the rates to use: softer ones where a case that seemed reliable has passed and failed at one point."""
    if rates == FailureRates():
        return FailureRates(SOFT_GOOD, SOFT_BAD) if any(each.is_mixed for each in found) else rates
    # One result alone proves nothing of a case that is known to fail at random.
    return FailureRates(max(rates.good, SURE), min(rates.bad, 1 - SURE))
