"""The first look at a text: which rules can match in it, and where.

Most lines of a log need no rule.  Of a rule's words, those that occur anywhere in a text are searched one by one, which
costs time for each word; those that are words of their own (programs, prefixes of tokens) are looked up all at once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Protocol

from lab.results.secrets.pattern import LONG
from reports.redact.rule import Rule

HEAD = 3
# In lower case: all but letters, digits and bytes of UTF-8 separates words; the ends of lines stay.
LETTERS = {*b"\n0123456789abcdefghijklmnopqrstuvwxyz", *range(128, 256)}
SEPARATED = bytes(byte if byte in LETTERS else 32 for byte in range(256))
# A word can follow an escaped line end: b"...\r\nAuthorization: ...".
ESCAPES = (rb"\n", rb"\r", rb"\t")
# After a word: it does not begin within another one.
BEGINS = rb"(?:(?<![a-z0-9\x80-\xff]%b)|(?<=\\[nrt]%b))"

Finders = dict["Finder", list[int]]


@dataclass(frozen=True)
class Vocabulary:
    """The words of a text, each once: between blanks, and those of letters and digits alone."""

    words: bytes
    letters: frozenset[bytes]
    joined: bytes

    @classmethod
    def of(cls, low: bytes) -> Vocabulary:
        words = b" ".join(set(low.split()))
        letters = {*words.translate(SEPARATED).split(), *(_separated(words).split() if b"\\" in words else ())}
        return cls(words, frozenset(letters), b" ".join(letters))


@dataclass(frozen=True)
class Finder:
    """The search for a word or a probe.  ``parts``: those of a word, with ``letters`` those of letters and digits."""

    pattern: re.Pattern[bytes]
    parts: tuple[bytes, ...] = ()
    letters: bool = False

    @classmethod
    def of_word(cls, word: str, rule: Rule) -> Finder:
        low = word.encode("utf-8", "replace").lower()
        own = BEGINS % ((re.escape(low),) * 2) if word not in rule.words and low[:1].isalnum() else b""
        after = b"(?:" + rule.follows.pattern + b")" if rule.follows else b""
        letters = low.translate(SEPARATED).split()
        return cls(re.compile(re.escape(low) + own + after), tuple(letters or low.split()), bool(letters))

    def occurs(self, known: Vocabulary) -> bool:
        """Return whether a text with these words can have it."""
        if not self.parts:
            return bool(self.pattern.search(known.words))
        text = known.joined if self.letters else known.words
        return all(part in text for part in self.parts)

    def offsets(self, low: bytes) -> Iterator[int]:
        """Yield the offset of its first occurrence in each line."""
        at = 0
        while match := self.pattern.search(low, at):
            yield match.start()
            at = low.find(b"\n", match.start()) + 1
            if not at:
                return


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
    def _anywhere(self) -> Finders:
        found: Finders = defaultdict(list)
        for rank, rule in enumerate(self.rules):
            for word in rule.words:
                found[Finder.of_word(word, rule)].append(rank)
            if rule.probe:
                found[Finder(rule.probe)].append(rank)
        return dict(found)

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
                    found[key][Finder.of_word(text, rule)].append(rank)
        return {key: dict(finders) for key, finders in found.items()}

    def lines(self, low: bytes) -> dict[int, set[int]]:
        """Return the lines of a text in lower case that rules need, by index, with the ranks of these rules.

        A log has the same words again and again, so its words are searched first, each once.
        """
        known = Vocabulary.of(low)
        found = defaultdict[int, set[int]](set)
        starts: list[int] = []
        for finder, ranks in (*self._anywhere.items(), *self._of_words(known.letters)):
            for at in finder.offsets(low) if finder.occurs(known) else ():
                starts = starts or list(accumulate((len(line) + 1 for line in low.split(b"\n")), initial=0))
                found[bisect_right(starts, at) - 1].update(ranks)
        return dict(found)

    def _of_words(self, words: frozenset[bytes]) -> Iterator[tuple[Finder, Sequence[int]]]:
        """Yield what finds the rules' own words that are in a text."""
        for word in self._by_word.keys() & words:
            yield from self._by_word[word].items()
        for head in self._by_head.keys() & {word[:HEAD] for word in words if len(word) >= LONG}:
            yield from self._by_head[head].items()

    def ranks(self, low: bytes) -> set[int]:
        """Return the ranks of the rules that can match in a text in lower case."""
        return {*self.blind, *(rank for ranks in self.lines(low).values() for rank in ranks)}


def _separated(low: bytes) -> bytes:
    if b"\\" in low:
        for escape in ESCAPES:
            low = low.replace(escape, b"  ")
    return low.translate(SEPARATED)
