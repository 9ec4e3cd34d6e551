"""The first look at a text: which rules can match in it, and where.

Most lines of a log need no rule.  Of a rule's words, those that occur anywhere in a text are searched one by one, which
costs time for each word; those that are words of their own (programs, prefixes of tokens) are looked up all at once.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import accumulate
from operator import or_

from lab.results.secrets.pattern import LONG
from reports.redact.rule import Rule

HEAD = 3
BLANKS = (rb"[ \t]+", rb"\s+")
# In lower case: all but letters, digits and bytes of UTF-8 separates words; the ends of lines stay.
LETTERS = {*b"\n0123456789abcdefghijklmnopqrstuvwxyz", *range(128, 256)}
NO_SLASH = bytes(32 if byte in b"/" else byte for byte in range(256))
SEPARATED = bytes(byte if byte in LETTERS else 32 for byte in range(256))
# A word can follow an escaped line end: b"...\r\nAuthorization: ...".
ESCAPES = (rb"\n", rb"\r", rb"\t")
# After a word: it does not begin within another one.
BEGINS = rb"(?:(?<![a-z0-9\x80-\xff]%b)|(?<=\\[nrt]%b))"

SIGNS = tuple(sign.encode() for sign in string.punctuation)
OTHER, ALNUM = re.compile(r"[^a-z0-9 ]"), re.compile(r"[a-z0-9]+")
# The letters and signs with which a probe begins, without a repeated one.
PROBE_BEGINS = re.compile(rb"(?:(?:[a-z0-9@:%~/-]|\\[.$])(?![*+?{]))*")

Finders = dict["Finder", int]


@dataclass(frozen=True)
class Vocabulary:
    """The parts of a text between blanks and slashes, each once, and its words of letters and digits alone.

    A log has the same directories and names of files again and again, in ever new paths, and the same words in them.
    ``words``: all of ``letters``, and each sign once, as one text in Latin-1 (a search in str is faster than in bytes).
    """

    low: bytes
    parts: bytes
    letters: frozenset[bytes]
    words: str

    @classmethod
    def of(cls, low: bytes) -> Vocabulary:
        parts = b" ".join(set(low.translate(NO_SLASH).split())) + b" "
        letters = {*parts.translate(SEPARATED).split(), *(_separated(parts).split() if b"\\" in parts else ())}
        signs = [sign for sign in SIGNS if sign in parts] if low.isascii() else [bytes(set(parts))]
        return cls(low, parts, frozenset(letters), b" ".join((*letters, *signs)).decode("latin-1"))

    def has(self, part: bytes) -> bool:
        """Return whether a text without blanks and slashes, whose words are in the text, is in it."""
        return part.isalnum() or part in self.parts


@dataclass(frozen=True)
class Finder:
    """The search for a word or a probe.

    ``parts``: of a word, or of what each match of a probe begins with; a text has all of them if it has a match.
    ``probe``: the text needs a look with the pattern itself, if it has the ``literal`` that its matches begin with.
    """

    pattern: re.Pattern[bytes]
    parts: tuple[bytes, ...]
    probe: bool = False
    literal: bytes = b""

    @classmethod
    def of_word(cls, word: str, follows: Sequence[re.Pattern[bytes] | None], *, own: bool = False) -> Finder:
        """Return the search for a word with one of ``follows`` after it, None for anything.  ``own``: it begins there."""
        low = word.encode("utf-8", "replace").lower()
        begins = BEGINS % ((re.escape(low),) * 2) if own and low[:1].isalnum() else b""
        ends = b"|".join({pattern.pattern: 0 for pattern in follows if pattern})
        after = b"" if None in follows else b"(?:" + ends + b")"
        parts = tuple(low.translate(NO_SLASH).split())
        if all(pattern and pattern.pattern.startswith(BLANKS) for pattern in follows):
            parts = (*parts[:-1], parts[-1] + b" ")
        return cls(re.compile(re.escape(low) + begins + after), parts)

    @classmethod
    def of_probe(cls, probe: re.Pattern[bytes]) -> Finder:
        """Return the search for a probe."""
        begins = PROBE_BEGINS.match(probe.pattern)
        literal = begins[0].replace(b"\\", b"") if begins else b""
        return cls(probe, tuple(literal.translate(NO_SLASH).split()), probe=True, literal=literal)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words and the first sign in the parts, in Latin-1; first a long word or else the sign."""
        parts = b" ".join(self.parts).decode("latin-1")
        words = sorted(ALNUM.findall(parts), key=len, reverse=True)
        signs = OTHER.findall(parts)[:1]
        return tuple([*words, *signs] if words and len(words[0]) >= HEAD else [*signs, *words])

    def occurs(self, known: Vocabulary) -> bool:
        """Return whether a text with these words can have it."""
        if not (all(word in known.words for word in self.words) and all(map(known.has, self.parts))):
            return False
        if not self.probe:
            return True
        text = known.low if b"/" in self.pattern.pattern else known.parts
        return self.literal in text and bool(self.pattern.search(text))

    def offsets(self, low: bytes) -> list[int]:
        """Return the offset of its first occurrence in each line."""
        found, search, at = [], self.pattern.search, 0
        while match := search(low, at):
            found.append(match.start())
            at = low.find(b"\n", found[-1]) + 1
            if not at:
                break
        return found


@dataclass(frozen=True)
class Screen:
    """The words and probes of some rules.

    A rule's rank is its index; several rules are one number, whose bits are their ranks.
    """

    rules: Sequence[Rule]

    @cached_property
    def blind(self) -> int:
        """The rules that need every line."""
        return sum(
            1 << rank for rank, rule in enumerate(self.rules) if not (rule.words or rule.own_words or rule.probe)
        )

    @cached_property
    def _anywhere(self) -> Finders:
        found: Finders = defaultdict(int)
        for rank, rule in enumerate(self.rules):
            for word in rule.words:
                found[Finder.of_word(word, [rule.follows])] |= 1 << rank
            if rule.probe:
                found[Finder.of_probe(rule.probe)] |= 1 << rank
        return dict(found)

    @cached_property
    def _by_first(self) -> list[tuple[str, Finder, int]]:
        """The searches for words and probes, each with the first of its words."""
        return [(next(iter(finder.words), ""), finder, ranks) for finder, ranks in self._anywhere.items()]

    @cached_property
    def _by_word(self) -> dict[bytes, Finders]:
        """The searches for the rules' own words, by a word that is in the text if they match."""
        return self._keyed(lambda part: max(re.findall(rb"[a-z0-9]+", part), key=len), heads=False)

    @cached_property
    def _by_head(self) -> dict[bytes, Finders]:
        """The searches for prefixes, by the beginning of a long word that is in the text if they match."""
        return self._keyed(lambda part: part[:HEAD], heads=True)

    def _keyed(self, key: Callable[[bytes], bytes], *, heads: bool) -> dict[bytes, Finders]:
        """Return one search for each own word, with the ranks of all its rules."""
        ranks: dict[str, list[int]] = defaultdict(list)
        for rank, rule in enumerate(self.rules):
            for word in rule.own_words:
                if heads is (word in rule.prefixes and word.isalnum()):
                    ranks[word.lower()].append(rank)
        found = defaultdict[bytes, Finders](dict)
        for word, of_word in ranks.items():
            finder = Finder.of_word(word, [self.rules[rank].follows for rank in of_word], own=True)
            found[key(max(finder.parts, key=len))][finder] = sum(1 << rank for rank in set(of_word))
        return dict(found)

    def lines(self, low: bytes) -> dict[int, int]:
        """Return the lines of a text in lower case that rules need, by index, with these rules.

        A log has the same words again and again, so its words are searched first, each once.
        """
        known = Vocabulary.of(low)
        found = defaultdict[int, int](int)
        starts: list[int] = []
        words = known.words
        anywhere = [(finder, ranks) for word, finder, ranks in self._by_first if word in words]
        for finder, ranks in (*anywhere, *self._of_words(known.letters)):
            for at in finder.offsets(low) if finder.occurs(known) else ():
                starts = starts or list(accumulate((len(line) + 1 for line in low.split(b"\n")), initial=0))
                found[bisect_right(starts, at) - 1] |= ranks
        return dict(found)

    def _of_words(self, words: frozenset[bytes]) -> Iterator[tuple[Finder, int]]:
        """Yield what finds the rules' own words that are in a text."""
        for word in self._by_word.keys() & words:
            yield from self._by_word[word].items()
        for head in self._by_head.keys() & {word[:HEAD] for word in words if len(word) >= LONG}:
            yield from self._by_head[head].items()

    def ranks(self, low: bytes) -> set[int]:
        """Return the ranks of the rules that can match in a text in lower case."""
        return set(ranks(reduce(or_, self.lines(low).values(), self.blind)))


def ranks(rules: int) -> Iterator[int]:
    """Yield the ranks of rules."""
    while rules:
        yield (rules & -rules).bit_length() - 1
        rules &= rules - 1


def _separated(low: bytes) -> bytes:
    if b"\\" in low:
        for escape in ESCAPES:
            low = low.replace(escape, b"  ")
    return low.translate(SEPARATED)
