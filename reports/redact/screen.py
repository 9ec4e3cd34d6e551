"""The first look at a text: which rules can match in it, and where.

Most lines of a log need no rule.  Of a rule's words, those that occur anywhere in a text are searched one by one, which
costs time for each word; those that are words of their own (programs, prefixes of tokens) are looked up all at once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from lab.results.secrets.pattern import LONG
from reports.redact.rule import Rule

HEAD = 3
# In lower case: all but letters, digits and bytes of UTF-8 separates words.
SEPARATED = bytes(byte if (chr(byte).isascii() and chr(byte).isalnum()) or byte > 127 else 32 for byte in range(256))  # noqa: PLR2004 - ASCII
# A word can follow an escaped line end: b"...\r\nAuthorization: ...".
ESCAPES = (rb"\n", rb"\r", rb"\t")

Finders = dict[re.Pattern[bytes], list[int]]


class KeyOf(Protocol):
    """Return the key of a word, if it has one; ``head``: the beginning of a long word, not a word of its own."""

    def __call__(self, word: bytes, *, head: bool) -> bytes | None: ...


@dataclass(frozen=True)
class Screen:
    """The words and probes of some rules; a rule's rank is its index."""

    rules: Sequence[Rule]

    @cached_property
    def blind(self) -> list[int]:
        """The ranks of the rules that need every line."""
        return [rank for rank, rule in enumerate(self.rules) if not (rule.words or rule.own_words or rule.probe)]

    @cached_property
    def _anywhere(self) -> list[tuple[re.Pattern[bytes], list[int]]]:
        found = defaultdict[re.Pattern[bytes], list[int]](list)
        for rank, rule in enumerate(self.rules):
            for word in rule.words:
                found[_finder(word, rule)].append(rank)
            if rule.probe:
                found[rule.probe].append(rank)
        return list(found.items())

    @cached_property
    def _by_word(self) -> dict[bytes, Finders]:
        """The patterns of the rules' own words, by a word that is in the text if they match."""
        return self._keyed(lambda word, *, head: None if head else max(re.findall(rb"[a-z0-9]+", word), key=len))

    @cached_property
    def _by_head(self) -> dict[bytes, Finders]:
        """The patterns of prefixes, by the beginning of a long word that is in the text if they match."""
        return self._keyed(lambda word, *, head: word[:HEAD] if head else None)

    def _keyed(self, key_of: KeyOf) -> dict[bytes, Finders]:
        found = defaultdict[bytes, Finders](lambda: defaultdict(list))
        for rank, rule in enumerate(self.rules):
            for text in rule.own_words:
                word = text.encode().lower()
                key = key_of(word, head=text in rule.prefixes and word.isalnum())
                if key:
                    found[key][_finder(text, rule)].append(rank)
        return {key: dict(finders) for key, finders in found.items()}

    def offsets(self, low: bytes) -> Iterator[tuple[int, Sequence[int]]]:
        """Yield the offsets in a text in lower case that rules need, with the ranks of these rules."""
        for finder, ranks in self._anywhere:
            for match in finder.finditer(low):
                yield match.start(), ranks
        for finder, own in self._of_words(low) if self._by_word or self._by_head else ():
            for match in finder.finditer(low):
                yield match.start(), own

    def _of_words(self, low: bytes) -> Iterator[tuple[re.Pattern[bytes], Sequence[int]]]:
        words = _words(low)
        for word in frozenset(self._by_word).intersection(words):
            yield from self._by_word[word].items()
        for head in frozenset(self._by_head).intersection([word[:HEAD] for word in words if len(word) >= LONG]):
            yield from self._by_head[head].items()

    def ranks(self, low: bytes) -> set[int]:
        """Return the ranks of the rules that can match in a text in lower case."""
        return {*self.blind, *(rank for _, ranks in self.offsets(low) for rank in ranks)}


def _finder(word: str, rule: Rule) -> re.Pattern[bytes]:
    after = b"(?:" + rule.follows.pattern + b")" if rule.follows else b""
    return re.compile(re.escape(word.encode("utf-8", "replace").lower()) + after)


def _words(low: bytes) -> list[bytes]:
    if b"\\" in low:
        for escape in ESCAPES:
            low = low.replace(escape, b"  ")
    return low.translate(SEPARATED).split()
