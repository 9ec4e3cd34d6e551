"""Policies: which items are candidates of a migration, and why the others are not.

A pure function of typed inputs, so that a promotion can pass the verdicts of its runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from scripts.migration.hints import MigrationHints
from scripts.migration.items import ItemChange, MigrationItem


@dataclass(frozen=True)
class ItemVerdict:
    """The verdict of runs on a source version: not passed, with the reason in one line."""

    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class Criteria:
    """What is asked of an item besides installability.

    ``verdicts`` by source and version: an item without one is not held back unless ``verdict_required``.  ``ages``: days
    in the candidate, by source and version; an age that is needed and not known is not reached.
    """

    verdicts: Mapping[tuple[str, str], ItemVerdict] = field(default_factory=dict)
    verdict_required: bool = False
    ages: Mapping[tuple[str, str], float] = field(default_factory=dict)
    least_age: float = 0.0


def held_back(
    changes: Mapping[MigrationItem, ItemChange], hints: MigrationHints, criteria: Criteria
) -> dict[MigrationItem, str]:
    """Return the items that cannot migrate whatever the others do, each with the first reason."""
    found = {}
    for item, change in changes.items():
        reason = change.impediment or next(_reasons(item, hints, criteria), "")
        if reason and (change.impediment or item not in hints.forced):
            found[item] = reason
    return found


def _reasons(item: MigrationItem, hints: MigrationHints, criteria: Criteria) -> Iterator[str]:
    if item in hints.removed:
        return
    if any(hint.source == item.source for hint in hints.removed):
        yield f"the hint remove takes {item.source} away"
    if item in hints.blocked:
        yield f"hint: {hints.blocked[item]}"
    if item.removal:
        return
    key = (item.source, item.version)
    verdict = criteria.verdicts.get(key)
    if verdict is None and criteria.verdict_required:
        yield "no run has judged it"
    if verdict is not None and not verdict.passed:
        yield verdict.reason or "its runs did not pass"
    least = hints.days.get(item, criteria.least_age)
    if least > 0:
        age = criteria.ages.get(key)
        if age is None:
            yield f"its age is not known, {least:g} days are needed"
        elif age < least:
            yield f"{age:.1f} of {least:g} days old"
