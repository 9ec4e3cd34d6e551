"""The first look at a text: which rules can match in it, and where.

Most lines of a log need no rule.  Hyperscan searches the words and probes of all rules at once; each that is anywhere in
a text is then searched line by line, with what has to be before and after it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from itertools import chain
from operator import or_

import hyperscan

from reports.redact.rule import Rule

# In lower case: all but letters, digits and bytes of UTF-8 separates words.
LETTERS = {*b"0123456789abcdefghijklmnopqrstuvwxyz", *range(128, 256)}
SEPARATED = bytes(byte if byte in LETTERS else 32 for byte in range(256))
# A word can follow an escaped line end: b"...\r\nAuthorization: ...".
ESCAPES = (rb"\n", rb"\r", rb"\t")
# After a word: it does not begin within another one.
BEGINS = rb"(?:(?<![a-z0-9\x80-\xff]%b)|(?<=\\[nrt]%b))"
# Of so many places of a word in a text, each is looked at; of more, a search through the text costs less.
FEW_PLACES = 64
MOST_PLACES = 6000
# Own words of rules in one long line; of 30 MB of logs and sources, the line with most has 72.
MOST_OF_LINE = 128


@dataclass(frozen=True)
class Finder:
    """The search for a word or probe in a text, and the rules that need its lines.

    ``expression``: compiled when a text has the word; a redactor has hundreds, and a log few of them.
    ``back``: from where an expression ends that tells of the word, to where the word begins.
    """

    expression: bytes
    rules: int
    back: int = 0

    @classmethod
    def of_word(cls, word: bytes, rules: Mapping[int, Rule], *, own: bool = False, back: int = 0) -> Finder:
        """Return the search for a word of some rules, with what follows it in one of them.  ``own``: it begins there."""
        literal, follows = re.escape(word), [rule.follows for rule in rules.values()]
        begins = BEGINS % (literal, literal) if own and word[:1].isalnum() else b""
        ends = b"|".join(dict.fromkeys(pattern.pattern for pattern in follows if pattern))
        expression = literal + begins + (b"" if None in follows else b"(?:" + ends + b")")
        return cls(expression, sum(1 << rank for rank in rules), back)

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        return re.compile(self.expression)

    def line_ends(self, low: bytes, ends: Sequence[int]) -> Iterable[int]:
        """Return the ends of the lines with matches, -1 for the last line's."""
        if 0 < len(ends) <= FEW_PLACES:
            return {low.find(b"\n", begin) for end in ends if self.pattern.match(low, begin := end - self.back)}
        found, search, at = [], self.pattern.search, 0
        while match := search(low, at):
            found.append(low.find(b"\n", match.start()))
            at = found[-1] + 1
            if not at:
                break
        return found


@dataclass(frozen=True)
class Expressions:
    """Expressions that are searched all at once, each with the finders that a text with it needs."""

    finders: Mapping[bytes, Sequence[Finder]]

    def of(self, text: bytes, *, placed: bool = False) -> Iterator[tuple[Finder, Sequence[int]]]:
        """Yield the finders that a text needs.  ``placed``: with the places where their expressions end, if these are few."""
        found = self._placed(text) if placed else None
        if found is None:
            found = {index: [] for index in self._once(text)}
        for index, finders in enumerate(self.finders.values()) if found else ():
            if index in found:
                yield from ((finder, found[index]) for finder in finders)

    def _once(self, text: bytes) -> list[int]:
        """Return the indexes of the expressions that a text has."""
        found: list[int] = []
        if self.finders:
            _database(tuple(self.finders), once=True).scan(text, lambda index, *_: found.append(index))
        return found

    def _placed(self, text: bytes) -> dict[int, list[int]] | None:
        """Return these with the places where they end; None if there are too many places."""
        found, left = defaultdict[int, list[int]](list), iter(range(MOST_PLACES))

        def take(index: int, _begin: int, end: int, *_: object) -> bool:
            found[index].append(end)
            return next(left, None) is None

        return found if self._scan(text, take) else None

    def first_ends(self, text: bytes, most: int) -> list[int]:
        """Return the places where the first expressions in a text end."""
        found: list[int] = []

        def take(_index: int, _begin: int, end: int, *_: object) -> bool:
            found.append(end)
            return len(found) >= most

        self._scan(text, take)
        return found

    def _scan(self, text: bytes, take: Callable[..., bool]) -> bool:
        """Call ``take`` for each place of an expression; return whether it let the search go on to the end."""
        try:
            if self.finders:
                _database(tuple(self.finders), once=False).scan(text, take)
        except hyperscan.ScanTerminated:
            return False
        return True


@lru_cache(16)
def _database(expressions: tuple[bytes, ...], *, once: bool) -> hyperscan.Database:
    """Return the search for expressions; to make one takes time, and many redactors have the same rules."""
    database, count = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK), len(expressions)
    # What Hyperscan has no notation for, such as a look back, it takes for anything: it finds too much, never too little.
    flags = hyperscan.HS_FLAG_PREFILTER | (hyperscan.HS_FLAG_SINGLEMATCH if once else 0)
    database.compile(expressions, range(count), count, [flags] * count)
    return database


@dataclass(frozen=True)
class Screen:
    """The words and probes of some rules; several rules are one number, whose bits are their ranks."""

    rules: Sequence[Rule]

    @cached_property
    def blind(self) -> int:
        """The rules that need every line."""
        return sum(
            1 << rank for rank, rule in enumerate(self.rules) if not (rule.words or rule.own_words or rule.probe)
        )

    @cached_property
    def _anywhere(self) -> Expressions:
        """The words that can be within others, and the probes."""
        of_word = defaultdict[tuple[bytes, re.Pattern[bytes] | None], dict[int, Rule]](dict)
        found = defaultdict[bytes, list[Finder]](list)
        for rank, rule in enumerate(self.rules):
            for word in rule.words:
                of_word[_low(word), rule.follows][rank] = rule
            if rule.probe:
                found[rule.probe.pattern].append(Finder(rule.probe.pattern, 1 << rank))
        for (low, _), rules in of_word.items():
            found[re.escape(low)].append(Finder.of_word(low, rules))
        return Expressions(found)

    @cached_property
    def _own(self) -> Expressions:
        """The rules' own words, for a text with blanks around all words: one before each, and one after each but a prefix."""
        of_word = defaultdict[tuple[bytes, bool], dict[int, Rule]](dict)
        for rank, rule in enumerate(self.rules):
            for word in rule.own_words:
                of_word[_low(word), word not in rule.prefixes and word[-1:].isalnum()][rank] = rule
        found = defaultdict[bytes, list[Finder]](list)
        for (low, ends), rules in of_word.items():
            key = b" " * low[:1].isalnum() + low.translate(SEPARATED) + b" " * ends
            found[key].append(Finder.of_word(low, rules, own=True, back=len(low) + ends + 1))
        return Expressions(found)

    def lines(self, low: bytes) -> dict[int, int]:
        """Return the lines of a text in lower case that rules need, by index and in order, with these rules."""
        found = defaultdict[int, int](int)
        own = (self._own.of(text, placed=True) for text in _separated(low))
        for finder, ends in chain(self._anywhere.of(low), *own):
            rules = finder.rules
            for end in finder.line_ends(low, ends):
                found[end] |= rules
        last = found.pop(-1, 0)
        lines, index, at = dict[int, int](), 0, 0
        for end in sorted(found):
            index += low.count(b"\n", at, end)
            lines[index], at = found[end], end
        if last:
            lines[index + low.count(b"\n", at)] = last
        return lines

    def crowded(self, line: str) -> tuple[int, int] | None:
        """Return where the rules' own words in a line are half too many and too many, or None."""
        low = line.encode("utf-8", "replace").lower()
        ends = self._own.first_ends(next(_separated(low)), MOST_OF_LINE + 1)
        if len(ends) <= MOST_OF_LINE:
            return None
        half, last = (len(low[: ends[at] - 1].decode("utf-8", "ignore")) for at in (MOST_OF_LINE // 2, MOST_OF_LINE))
        return half, last

    def ranks(self, low: bytes) -> set[int]:
        """Return the ranks of the rules that can match in a text in lower case."""
        return set(ranks(reduce(or_, self.lines(low).values(), self.blind)))


def ranks(rules: int) -> Iterator[int]:
    """Yield the ranks of rules."""
    while rules:
        yield (rules & -rules).bit_length() - 1
        rules &= rules - 1


def _low(word: str) -> bytes:
    return word.encode("utf-8", "replace").lower()


def _separated(low: bytes) -> Iterator[bytes]:
    r"""Yield a text with blanks for all but letters and digits, and around it; and so with blanks for escaped line ends.

    In ``\nrak`` a word begins with ``rak`` or, if the backslash is one, with ``nrak``.
    """
    yield b" " + low.translate(SEPARATED) + b" "
    if b"\\" in low:
        for escape in ESCAPES:
            low = low.replace(escape, b"  ")
        yield b" " + low.translate(SEPARATED) + b" "
