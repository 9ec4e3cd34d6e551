"""Redaction of text, line by line, for text of any size.

Rules see lines without colours, so that colours cannot hide a secret; a redacted line loses its colours.  Redaction
repeats until nothing changes, so that the result is stable.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter

from lab.results.secrets.names import crowded, is_secret
from lab.results.secrets.pattern import HARMLESS
from reports.bundle import Readable
from reports.redact import continuations, encoded, key_blocks, plain_text
from reports.redact.continuation import CREDENTIAL, Continuation
from reports.redact.hits import Hit, Span, applied, made, take
from reports.redact.key_blocks import Beginning
from reports.redact.named_rules import NamedRules
from reports.redact.rule import Rule
from reports.redact.screen import Screen, ranks

BLOCK = 1 << 18
OVERLAP = 4096
MOST_PASSES = 8
MOST_UTF8 = 4
HIDDEN_LINE = "[REDACTED:line]"
LONG = 2000
CUT_MARK = re.compile(r"\[[^\]\s]*\Z")  # a rule would take it for a value
LINE_CUT = " [... this line is longer]"
RESET = "\x1b[0m"
# A property in the output of a test, see `reports.formats.junit_case`; its value is no part of a line.
PROPERTY_MARK = "[[PROPERTY|"
PROPERTY = re.compile(r"(\[\[PROPERTY\|([^=\n]*)=)(.*?)\]\](?=\n|\Z)", re.DOTALL)
OPENERS = (*key_blocks.OPENERS, *continuations.OPENERS)
# The openers of each as the bits of a number, see `reports.redact.screen`.
OF_KEYS = (1 << len(key_blocks.OPENERS)) - 1
OF_OTHERS = (1 << len(OPENERS)) - 1 - OF_KEYS


@dataclass
class RedactorState:
    """The state of a stream: what the next line belongs to, the last two lines, and the number of changed lines."""

    within: Continuation | None = field(default_factory=Beginning)
    before: tuple[str, ...] = ()
    changed: int = 0


@dataclass(frozen=True)
class Redactor:
    """The redactor of a lab; ``line`` is the maximum length of a line in bytes."""

    rules: tuple[Rule, ...]
    line: int = 8192

    @cached_property
    def overlap(self) -> int:
        """More characters than any known secret has; so many are dropped at the end of a truncated line."""
        return max([OVERLAP, *(2 * len(rule.pattern.pattern) for rule in self.rules if rule.sure)])

    @cached_property
    def screen(self) -> Screen:
        return Screen((*self.rules, *OPENERS))

    @cached_property
    def named(self) -> NamedRules:
        return NamedRules(self.rules)

    @cached_property
    def _plans(self) -> dict[int, tuple[list[tuple[int, Rule]], frozenset[int]]]:
        """The rules to ask one by one, and the ranks of those of names, for the rules that the screen found."""
        return {}

    def _plan(self, wanted: int) -> tuple[list[tuple[int, Rule]], frozenset[int]]:
        own = [rank for rank in ranks(wanted) if rank < len(self.rules)]
        alone = [(rank, self.rules[rank]) for rank in own if rank not in self.named.ranks]
        plan = self._plans[wanted] = alone, self.named.ranks.intersection(own)
        return plan

    def hits(self, line: str, only: int = -1) -> list[Hit]:
        """Return the matches in a clean line, in order and without overlaps.  ``only``: the rules to ask; -1 for all."""
        return made(self.spans(line, only), line, self.rules)

    def spans(self, line: str, only: int = -1) -> list[Span]:
        """Return the parts that rules hide in a clean line."""
        rules, found = self.rules, list[Span]()
        if only < 0:
            only = (1 << len(rules)) - 1
        alone, named = self._plans.get(only) or self._plan(only)
        for rank, rule in alone:
            for match in rule.matches(rule.pattern, line):
                take(match, line, rank, rule, found)
        for rank, starts in self.named.starts(line, named).items():
            rule = rules[rank]
            for match in rule.matches(rule.pattern, line, starts):
                take(match, line, rank, rule, found)
        return found

    def text(self, value: str) -> str:
        """Redact a text of a build, and remove its colours."""
        if not value:
            return value
        if PROPERTY_MARK in value:
            value = PROPERTY.sub(lambda found: f"{found[1]}{self.setting(found[2], found[3])}]]", value)
        lines = self._redacted(plain_text.clean(value), RedactorState(None))
        return plain_text.bare("\n".join(map(self._cut, lines)))

    def setting(self, name: str, value: str) -> str:
        """Redact the value of a setting: a parameter, a property, a cell of a table."""
        if is_secret(name):
            return value if HARMLESS.fullmatch(value) or not value else CREDENTIAL
        begin = f"{name}="
        shown = self.text(begin + self.text(value))
        return shown.removeprefix(begin) if shown.startswith(begin) else self.text(value)

    def stream(self, stream: Readable, state: RedactorState | None = None) -> Iterator[bytes]:
        """Redact a log, in pieces of complete lines; `reports.redact.plain_text` lists the control characters that stay."""
        state = state or RedactorState()
        for raw, whole in pieces(stream, self.line + self.overlap):
            yield self.piece(raw, state) if whole else self.beginning(raw, state)

    def piece(self, raw: bytes, state: RedactorState) -> bytes:
        """Redact some complete lines."""
        value = plain_text.decode(raw)
        end = "\n" if value.endswith("\n") else ""
        lines = self._redacted(value.removesuffix("\n"), state)
        if max(map(len, lines)) * MOST_UTF8 > self.line:
            whole, lines = lines, [self._cut(line) if len(line) * MOST_UTF8 > self.line else line for line in lines]
            state.changed += sum(line != cut for line, cut in zip(whole, lines, strict=True))
        return ("\n".join(lines) + end).encode()

    def beginning(self, raw: bytes, state: RedactorState) -> bytes:
        """Redact the beginning of a longer line; its end is dropped, because a truncated secret cannot be recognised."""
        state.changed += 1
        lines = self._redacted(plain_text.decode(raw), state)
        *before, last = plain_text.bare("\n".join(lines))[: -self.overlap].split("\n")
        return "".join(f"{line}\n" for line in (*map(self._cut, before), self._ended(last))).encode()

    def _redacted(self, value: str, state: RedactorState) -> list[str]:
        """Return the redacted lines of a clean text."""
        text = plain_text.bare(value)
        lines = text.split("\n")
        plain = lines.copy()
        for at in encoded.lines(text):
            if len(lines[at]) <= LONG or not self._crowded(lines[at]):
                plain[at] = encoded.shown(lines[at], self._inner)
        crowds = {at: ends for at, line in enumerate(plain) if len(line) > LONG and (ends := self._crowded(line))}
        todo = self._candidates(
            [line[: crowds[at][1]] if at in crowds else line for at, line in enumerate(plain)] if crowds else plain
        )
        opening = dict.fromkeys(crowds, OF_KEYS | OF_OTHERS)
        opening |= {
            at: openers for at, rules in todo.items() if (openers := rules >> len(self.rules)) and at not in crowds
        }
        redacted = _continued(plain, opening, state)
        for at, (_, end) in crowds.items():
            redacted[at] = redacted[at][:end]
        for _ in range(MOST_PASSES):
            if not (new := self._pass(redacted, todo)):
                break
            todo = self._again(redacted, new)
        else:
            for index in new:  # rules that match each other's replacements
                redacted[index] = HIDDEN_LINE
        for at, (half, end) in crowds.items():
            redacted[at] = CUT_MARK.sub("", redacted[at][: half - end]) + HIDDEN_LINE
        changed = [index for index, (old, new) in enumerate(zip(lines, redacted, strict=True)) if old != new]
        state.changed += len(changed)
        if "\x1b" not in value:
            return redacted
        shown = value.split("\n")
        for index in changed:
            shown[index] = (RESET if shown[index] != lines[index] else "") + redacted[index]
        return shown

    def _inner(self, text: str) -> list[str]:
        """Return the redacted lines of a clean text in a line."""
        return self._redacted(text, RedactorState(None))

    def _crowded(self, line: str) -> tuple[int, int] | None:
        """Return where the words of rules in a long line are half too many and too many, or None.

        Such a line is none that people write or programs need, and the search in it would take long.
        """
        found = [ends for ends in (crowded(line), self.screen.crowded(line)) if ends]
        return min(found, key=itemgetter(1)) if found else None

    def _pass(self, lines: list[str], todo: Mapping[int, int]) -> list[int]:
        """Redact lines once; return the indexes of those that change.  ``todo``: the rules that each needs."""
        answers: dict[tuple[str, int], str | None] = {}
        changed = []
        for index, rules in todo.items():
            key = line, _ = lines[index], rules
            if key not in answers:
                found = self.spans(line, rules)
                answers[key] = applied(line, found, self.rules) if found else None
            if (shown := answers[key]) is not None:
                lines[index] = shown
                changed.append(index)
        return changed

    def _again(self, lines: Sequence[str], changed: Sequence[int]) -> dict[int, int]:
        """Return the rules that changed lines need, by index; many lines are the same after a change."""
        distinct = dict.fromkeys(lines[index] for index in changed)
        found = self._candidates([*distinct])
        of_line = {line: found[at] for at, line in enumerate(distinct) if at in found}
        return {index: of_line[lines[index]] for index in changed if lines[index] in of_line}

    def _candidates(self, lines: Sequence[str]) -> dict[int, int]:
        """Return the lines that rules need, by index and in order, with these rules."""
        found = self.screen.lines("\n".join(lines).encode().lower())
        if blind := self.screen.blind:
            return {index: found.get(index, 0) | blind for index in range(len(lines))}
        return found

    def _cut(self, line: str) -> str:
        return line if len(line.encode()) <= self.line else self._ended(line)

    def _ended(self, line: str) -> str:
        return plain_text.bare(line).encode()[: self.line - len(LINE_CUT)].decode("utf-8", "ignore") + LINE_CUT


def pieces(stream: Readable, most: int) -> Iterator[tuple[bytes, bool]]:
    """Yield a stream in blocks of complete lines, with True; of a line longer than ``most``, its beginning, with False."""
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


def _continued(lines: Sequence[str], opening: Mapping[int, int], state: RedactorState) -> list[str]:
    """Return the lines, with the secrets hidden that other lines announce.  ``opening``: the openers of each line with some."""
    shown, places, index = list(lines), sorted(opening), 0
    while index < len(lines):
        if state.within:
            taken, state.within = state.within.take(lines[index])
            shown[index] = lines[index] if taken is None else taken
        else:
            taken = None
        if taken is None and index in opening:
            state.within = _opened(lines, index, opening[index], state.before) or state.within
        index += 1
        if not state.within:
            at = bisect_left(places, index)
            index = places[at] if at < len(places) else len(lines)
    state.before = (*state.before, *lines[-2:])[-2:]
    return shown


def _opened(lines: Sequence[str], index: int, openers: int, before: tuple[str, ...]) -> Continuation | None:
    """Return what a line opens, with the lines before it; ``before``: those before the first one."""
    if openers & OF_KEYS and (key := key_blocks.opened(lines[index])):
        return key
    if not openers & OF_OTHERS:
        return None
    return continuations.opened(lines[index], lines[index - 2 : index] if index > 1 else [*before, *lines[:index]][-2:])
