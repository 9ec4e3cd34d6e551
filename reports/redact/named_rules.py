"""The rules of settings with the name of a secret, asked all at once.

These rules begin with the same name and differ in what follows it.  One pattern matches the name once, and tells which
of the rules can match there; only these are asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.results.secrets.names import NAME, NAME_BEFORE_COLON, starts
from lab.results.secrets.pattern import VALUE, I
from reports.redact.rule import Rule

BEGINS = (f"(?P<name>{NAME})", NAME_BEFORE_COLON, NAME)
# Where the secret begins in a pattern.
SECRET = re.compile(re.escape(VALUE) + r"|\(\?P<value")
HIDDEN = r"(?![\"'\\]{0,3}\[REDACTED:)"  # it is hidden already
TWO_NAMES = re.compile("secret key", I)  # or only the first word is the name


@dataclass(frozen=True)
class NamedRules:
    """Those of some rules that begin with the name of a secret; a rule's rank is its index."""

    rules: Sequence[Rule]

    @cached_property
    def _between(self) -> dict[int, str]:
        """The patterns of what is between the name and the secret, by rank."""
        return {
            rank: _between(rule.pattern.pattern)
            for rank, rule in enumerate(self.rules)
            if rule.anchor and rule.anchor.starts is starts
        }

    @cached_property
    def ranks(self) -> frozenset[int]:
        """The ranks of these rules."""
        return frozenset(self._between)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """A name, and one group for each rule that can match after it."""
        return re.compile(NAME + "".join(f"(?:(?=({between}){HIDDEN})|)" for between in self._between.values()), I)

    @cached_property
    def _needs(self) -> re.Pattern[str]:
        """What a line has if one of these rules can match in it."""
        needs = {need for rank in self.ranks for need in self.rules[rank].needs or ("",)}
        return re.compile("|".join(map(re.escape, sorted(needs))))

    def starts(self, line: str) -> dict[int, list[int]]:
        """Return the ranks of the rules that can match, each with the places where their names begin."""
        found: dict[int, list[int]] = {}
        for at in starts(line) if self._needs.search(line) else ():
            match = self._pattern.match(line, at)
            if not match or TWO_NAMES.match(line, at):
                possible: Iterable[int] = self._between
            elif match.lastindex is None:
                continue
            else:
                possible = [rank for rank, text in zip(self._between, match.groups(), strict=True) if text is not None]
            for rank in possible:
                found.setdefault(rank, []).append(at)
        return found


def _between(pattern: str) -> str:
    """Return the part of a pattern between the name and the secret, without groups."""
    begin = next(begin for begin in BEGINS if pattern.startswith(begin))
    between = SECRET.split(pattern.removeprefix(begin), maxsplit=1)[0]
    return between.replace("(?P=name)", "(?!)")  # in a lookahead that excludes something
