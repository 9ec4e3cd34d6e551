"""The rules of settings with the name of a secret, asked all at once.

These rules begin with the same name and differ in what follows it.  One pattern matches the name once, and tells which
of the rules can match there; only these are asked.  Logs have the same names and values again and again, so the answer is
kept for the text that decides it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.results.secrets.names import NAME, NAME_BEFORE_COLON, starts
from lab.results.secrets.pattern import VALUE, Anchor, I
from reports.redact.rule import Rule

BEGINS = (f"(?P<name>{NAME})", NAME_BEFORE_COLON, NAME)
# Where the secret begins in a pattern.
SECRET = re.compile(re.escape(VALUE) + r"|\(\?P<value")
HIDDEN = r"(?![\"'\\]{0,3}\[REDACTED:)"  # it is hidden already
TWO_NAMES = re.compile("secret key", I)  # or only the first word is the name
# The text that decides which rules can match: some characters before a name, and those after it.  Of what is between a
# name and a secret, only blanks have no limit.
BEFORE, WINDOW = 16, 512
MOST_ANSWERS = 1 << 13


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

    @cached_property
    def _answers(self) -> dict[tuple[str, int], Sequence[int]]:
        """The ranks of the rules that can match, by the text that decides it and the place of the name in it."""
        return {}

    def starts(self, line: str, wanted: Collection[int]) -> dict[int, list[int]]:
        """Return those ``wanted`` of the ranks whose rules can match, each with the places where their names begin."""
        found: dict[int, list[int]] = {}
        for at in starts(line) if wanted and self._needs.search(line) else ():
            for rank in self._possible(line, at):
                if rank in wanted and self._anchors[rank].allows(line, at):
                    found.setdefault(rank, []).append(at)
        return found

    @cached_property
    def _anchors(self) -> dict[int, Anchor]:
        return {rank: anchor for rank in self.ranks if (anchor := self.rules[rank].anchor)}

    def _possible(self, line: str, at: int) -> Sequence[int]:
        """Return the ranks of the rules that can match at the name that begins at ``at``."""
        first = max(at - BEFORE, 0)
        first = max(line.rfind(" ", first, at), first)
        text = line[first : at + WINDOW]
        if len(text) > WINDOW and text[-1].isspace():
            return self._asked(line, at)
        key = text, at - first
        ranks = self._answers.get(key)
        if ranks is None:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            ranks = self._answers[key] = self._asked(line, at)
        return ranks

    def _asked(self, line: str, at: int) -> Sequence[int]:
        match = self._pattern.match(line, at)
        if not match or TWO_NAMES.match(line, at):
            return [*self._between]
        if match.lastindex is None:
            return ()
        return [rank for rank, text in zip(self._between, match.groups(), strict=True) if text is not None]


def _between(pattern: str) -> str:
    """Return the part of a pattern between the name and the secret, without groups."""
    begin = next(begin for begin in BEGINS if pattern.startswith(begin))
    between = SECRET.split(pattern.removeprefix(begin), maxsplit=1)[0]
    return between.replace("(?P=name)", "(?!)")  # in a lookahead that excludes something
