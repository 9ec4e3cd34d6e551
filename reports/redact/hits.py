"""What rules hide in a line, as parts of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from lab.results.secrets.pattern import HARMLESS
from reports.redact.rule import Rule

# ``line[start:end]``, and the rank of the rule that hides it.
Span = tuple[int, int, int]


class Hit(NamedTuple):
    """The match of a rule in a line: ``line[start:end]``."""

    start: int
    end: int
    rule: str
    shown: str


def take(match: re.Match[str], line: str, rank: int, rule: Rule, found: list[Span]) -> None:
    """Add the parts of a line that a match hides, with the rank of its rule."""
    spans = match.regs
    for group in rule.groups:
        start, end = spans[group]
        if start < end and (
            rule.sure
            or not (
                _is_harmless(line[start - 1 : end] if start else line[:end], start > 0)
                or (rule.keeps_some and rule.keeps(match, line[start:end]))
            )
        ):
            found.append((start, end, rank))


@lru_cache(1 << 10)
def _is_harmless(text: str, within: bool) -> bool:  # noqa: FBT001 - named arguments cost time here
    """Return whether a text hides nothing.  ``within``: its first character is the one before it in the line."""
    return HARMLESS.fullmatch(text, int(within)) is not None


def _joined(spans: list[Span]) -> list[tuple[int, int, Span]]:
    """Join overlapping spans; the part with the best rank decides the replacement."""
    joined: list[tuple[int, int, Span]] = []
    for span in spans:
        start, end, rank = span
        if joined and start < joined[-1][1]:
            first, last, best = joined.pop()
            joined.append((first, max(last, end), span if rank < best[2] else best))
        else:
            joined.append((start, end, span))
    return joined


def made(found: list[Span], line: str, rules: Sequence[Rule]) -> list[Hit]:
    """Return the hits of all parts that rules hide, in order and without overlaps."""
    return [
        Hit(start, end, (rule := rules[rank]).name, rule.replacement(line[first:last]) if rule.shown else rule.mark)
        for start, end, (first, last, rank) in _joined(sorted(found))
    ]


def applied(line: str, found: list[Span], rules: Sequence[Rule]) -> str:
    """Return a line with all parts replaced that rules hide."""
    parts, at = list[str](), 0
    for start, end, (first, last, rank) in _joined(sorted(found)):
        rule = rules[rank]
        parts += (line[at:start], rule.replacement(line[first:last]) if rule.shown else rule.mark)
        at = end
    return "".join([*parts, line[at:]])
