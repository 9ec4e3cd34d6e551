"""A rule of redaction: the text that it hides in a line, and its replacement.

`reports.redact.screen` decides with a rule's words and probe whether a line needs the rule; most lines of a log need none.
A rule hides the groups ``value``, ``value2`` ... of its pattern, or the whole match if the pattern has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from lab.results import secret_patterns
from lab.results.secrets.pattern import Hints, SecretPattern, values


@dataclass(frozen=True)
class Rule(Hints):
    """A rule.

    ``sure``: a match in a finished bundle prevents its publication.  ``shown``: makes the replacement.  ``hidden``: the
    groups to hide, other than those of this name.  ``harmless``: tells which texts in matches stay.
    """

    name: str
    pattern: re.Pattern[str]
    sure: bool = False
    shown: Callable[[str], str] | None = None
    hidden: tuple[int, ...] = ()
    harmless: Callable[[re.Match[str], str], bool] | None = None

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """The groups of the pattern that are hidden."""
        return self.hidden or tuple(self.pattern.groupindex.get(str(name), 0) for name in values(self.pattern))

    @property
    def own_words(self) -> tuple[str, ...]:
        """Words that nothing but their separators surrounds."""
        return (*self.prefixes, *self.programs)

    @cached_property
    def keeps_some(self) -> bool:
        """Whether some texts in matches stay."""
        return self.harmless is not None or self.shown is not None

    @cached_property
    def mark(self) -> str:
        """What replaces a hidden text, if ``shown`` makes nothing else."""
        return f"[REDACTED:{self.name}]"

    def keeps(self, match: re.Match[str], text: str) -> bool:
        """Return whether a text in a match stays: a public name in a private domain, or a harmless one."""
        if self.harmless and self.harmless(match, text):
            return True
        return self.shown is not None and self.shown(text) == text

    def replacement(self, hidden: str) -> str:
        return self.shown(hidden) if self.shown else self.mark


def of_pattern(known: SecretPattern) -> Rule:
    """Return the rule of a pattern that all labs have."""
    return Rule(known.name, known.regex, sure=known.sure, **known.hints())


PRIVATE_KEY = of_pattern(secret_patterns.PRIVATE_KEY)
