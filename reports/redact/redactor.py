"""Text in, text without what must not be public out; line by line, whatever the size.

Colours are no hiding place: rules look at lines without them, and a line in which something is hidden loses its
own.  What has been redacted is redacted again until nothing changes, so that the result is stable.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from reports.bundle import Readable
from reports.redact import plain_text
from reports.redact.rules import HARMLESS, KEY_BEGINS, PRIVATE_KEY, Rule

BLOCK = 1 << 18
OVERLAP = 4096
MOST_PASSES = 8
MOST_UTF8 = 4
LONGEST_BLANK = 60
LINE_CUT = " [... this line is longer]"
RESET = "\x1b[0m"
# A line with nothing but a time: a log with times has no other blank lines.
BLANK = re.compile(r"\W*(?:[\dTZ:.,+ -]{5,40}\W*)?")
KEY_ENDS = re.compile(r"-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
HEADER = re.compile(r"^.{0,60}?\b[\w-]+: ")  # RFC 1421, 4.6: a blank line follows, and the key only then


@dataclass(frozen=True)
class Hit:
    """What a rule hides in a line: ``line[start:end]``."""

    start: int
    end: int
    rule: str
    shown: str


@dataclass
class RedactorState:
    """Where a stream stands: in a private key or not, and how many lines of it were changed."""

    in_key: bool = False
    body: bool = False
    changed: int = 0


@dataclass(frozen=True)
class Redactor:
    """The rules of a lab at work; ``line`` is the most bytes that a line may have."""

    rules: tuple[Rule, ...]
    line: int = 8192

    @cached_property
    def overlap(self) -> int:
        """More characters than any known secret has: of a line that was cut, so many are not trusted at its end."""
        return max([OVERLAP, *(2 * len(rule.pattern.pattern) for rule in self.rules if rule.sure)])

    @cached_property
    def _words(self) -> list[tuple[bytes, dict[re.Pattern[bytes] | None, list[int]]]]:
        """Words, and the ranks of the rules that want them, by what must follow."""
        words = defaultdict[bytes, dict[re.Pattern[bytes] | None, list[int]]](dict)
        for rank, rule in enumerate(self.rules):
            for word in rule.words:
                words[word.encode("utf-8", "replace").lower()].setdefault(rule.follows, []).append(rank)
        return list(words.items())

    @cached_property
    def _probes(self) -> list[tuple[re.Pattern[bytes], int]]:
        return [(rule.probe, rank) for rank, rule in enumerate(self.rules) if rule.probe]

    @cached_property
    def _blind(self) -> list[int]:
        """The rules that look at every line."""
        return [rank for rank, rule in enumerate(self.rules) if not rule.words and not rule.probe]

    def hits(self, line: str, only: Iterable[int] | None = None) -> list[Hit]:
        """What would be hidden in a clean line, in its order; nothing overlaps."""
        found = []
        for rank in range(len(self.rules)) if only is None else only:
            rule = self.rules[rank]
            for match in rule.pattern.finditer(line):
                for start, end in map(match.span, rule.groups):
                    if start == end:
                        continue
                    if rule.sure or not (HARMLESS.fullmatch(line, start, end) or rule.leaves(line[start:end])):
                        found.append((start, end, rank))
        return [
            Hit(start, end, self.rules[rank].name, self.rules[rank].instead(line[first:last]))
            for start, end, (first, last, rank) in _joined(sorted(found))
        ]

    def text(self, value: str) -> str:
        """A text of a build, without colours."""
        if not value:
            return value
        lines = self._redacted(plain_text.clean(value), RedactorState())
        return plain_text.bare("\n".join(map(self._cut, lines)))

    def stream(self, stream: Readable, state: RedactorState | None = None) -> Iterator[bytes]:
        """A whole log, in pieces that are complete lines; see `reports.redact.plain_text` for what is left of controls."""
        state = state or RedactorState()
        for raw, whole in pieces(stream, self.line + self.overlap):
            yield self.piece(raw, state) if whole else self.beginning(raw, state)

    def piece(self, raw: bytes, state: RedactorState) -> bytes:
        """Some complete lines."""
        value = plain_text.decode(raw)
        end = "\n" if value.endswith("\n") else ""
        lines = self._redacted(value.removesuffix("\n"), state)
        if max(map(len, lines)) * MOST_UTF8 > self.line:
            lines = [self._cut(line) if len(line) * MOST_UTF8 > self.line else line for line in lines]
        return ("\n".join(lines) + end).encode()

    def beginning(self, raw: bytes, state: RedactorState) -> bytes:
        """The beginning of a line that is longer; nobody knows what its own end was the beginning of."""
        lines = self._redacted(plain_text.decode(raw), state)
        *before, last = plain_text.bare("\n".join(lines))[: -self.overlap].split("\n")
        return "".join(f"{line}\n" for line in (*map(self._cut, before), self._ended(last))).encode()

    def _redacted(self, value: str, state: RedactorState) -> list[str]:
        """The lines of a clean text."""
        plain = plain_text.bare(value).split("\n")
        made = list(_without_keys(plain, state) if state.in_key or KEY_BEGINS in value else plain)
        todo = list(range(len(made)))
        for _ in range(MOST_PASSES):
            changes = self._pass([made[index] for index in todo])
            todo = [todo[at] for at in changes]
            for index, line in zip(todo, changes.values(), strict=True):
                made[index] = line
            if not todo:
                break
        for index in todo:  # rules that feed each other
            made[index] = "[REDACTED:line]"
        changed = [index for index, (old, new) in enumerate(zip(plain, made, strict=True)) if old != new]
        state.changed += len(changed)
        if "\x1b" not in value:
            return made
        lines = value.split("\n")
        shown = list(lines)
        for index in changed:
            shown[index] = (RESET if lines[index] != plain[index] else "") + made[index]
        return shown

    def _pass(self, lines: Sequence[str]) -> dict[int, str]:
        """The lines that change, by their index."""
        changes = {}
        for index, ranks in self._candidates(lines):
            line = lines[index]
            if hits := self.hits(line, sorted(ranks)):
                changes[index] = applied(line, hits)
        return changes

    def _candidates(self, lines: Sequence[str]) -> Iterator[tuple[int, set[int]]]:
        """Lines that rules want to see, with the ranks of these rules."""
        whole = "\n".join(lines)
        starts = list(accumulate((len(line) + 1 for line in _measured(lines, whole)), initial=0))
        found: dict[int, set[int]] = {index: set(self._blind) for index in range(len(lines))} if self._blind else {}
        for at, ranks in self._wanted(whole.encode().lower()):
            found.setdefault(bisect_right(starts, at) - 1, set()).update(ranks)
        return iter(sorted(found.items()))

    def _wanted(self, low: bytes) -> Iterator[tuple[int, Iterable[int]]]:
        """Where rules want to look, and which."""
        for word, wanted in self._words:
            at = low.find(word)
            while at >= 0:
                for follows, ranks in wanted.items():
                    if follows is None or follows.match(low, at + len(word)):
                        yield at, ranks
                at = low.find(word, at + 1)
        for probe, rank in self._probes:
            for match in probe.finditer(low):
                yield match.start(), (rank,)

    def _cut(self, line: str) -> str:
        return line if len(line.encode()) <= self.line else self._ended(line)

    def _ended(self, line: str) -> str:
        return plain_text.bare(line).encode()[: self.line - len(LINE_CUT)].decode("utf-8", "ignore") + LINE_CUT


def pieces(stream: Readable, most: int) -> Iterator[tuple[bytes, bool]]:
    """A stream as complete lines, many at once; of a line longer than ``most`` its beginning, and False."""
    carry = b""
    while chunk := stream.read(BLOCK):
        carry += chunk
        end = carry.rfind(b"\n") + 1
        yield from _short(carry[:end], most)
        carry = carry[end : end + most + 1]  # of a longer line, the rest does not matter
    yield from _short(carry, most)


def _short(block: bytes, most: int) -> Iterator[tuple[bytes, bool]]:
    if not block:
        return
    if len(block) <= most or max(map(len, block.split(b"\n"))) <= most:
        yield block, True
        return
    begin = at = 0
    while at < len(block):
        newline = block.find(b"\n", at)
        end = newline if newline >= 0 else len(block)
        if end - at > most:
            if begin < at:
                yield block[begin:at], True
            yield block[at : at + most], False
            begin = end + 1
        at = end + 1
    if begin < len(block):
        yield block[begin:], True


def _without_keys(lines: Sequence[str], state: RedactorState) -> Iterator[str]:
    """Lines of a private key, to its end or, of one that is cut, to the next blank line, show a mark."""
    for line in lines:
        if not state.in_key:
            begins = line.rfind(KEY_BEGINS) if KEY_BEGINS in line else -1
            match = PRIVATE_KEY.pattern.search(line, begins) if begins >= 0 else None
            state.in_key, state.body = bool(match and not KEY_ENDS.search(line, begins)), False
            yield line
        elif KEY_ENDS.search(line):
            state.in_key = False
            yield PRIVATE_KEY.instead("")
        elif len(line) <= LONGEST_BLANK and BLANK.fullmatch(line):
            state.in_key = not state.body
            yield line
        else:
            state.body = state.body or not HEADER.match(line)
            yield PRIVATE_KEY.instead("")


def _measured(lines: Sequence[str], whole: str) -> Iterable[str | bytes]:
    """Lines whose lengths are those in UTF-8."""
    return lines if whole.isascii() else [line.encode() for line in lines]


def _joined(found: list[tuple[int, int, int]]) -> list[tuple[int, int, tuple[int, int, int]]]:
    """Spans that overlap are one; it is shown as its part of the best rank is."""
    made: list[tuple[int, int, tuple[int, int, int]]] = []
    for one in found:
        start, end, rank = one
        if made and start < made[-1][1]:
            first, last, best = made.pop()
            made.append((first, max(last, end), one if rank < best[2] else best))
        else:
            made.append((start, end, one))
    return made


def applied(line: str, hits: Iterable[Hit]) -> str:
    """A line with all that the hits hide replaced."""
    parts, at = [], 0
    for hit in hits:
        parts += [line[at : hit.start], hit.shown]
        at = hit.end
    return "".join([*parts, line[at:]])
