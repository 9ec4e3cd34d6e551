"""Private keys over several lines: PEM, OpenSSH, SSH2, PGP, PuTTY; and PEM in base64.

A second process can write blank lines and lines of its own into a key, so after a blank line the lines that look like a
key's are still hidden, up to the key's end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from lab.results.secrets.tokens import PUBLIC_ENCODED
from reports.redact.continuation import Continuation
from reports.redact.rule import PRIVATE_KEY, Rule

MOST_GAP = 50
LONGEST_BLANK = 60
# A line with only a time: in a log with times, this is a blank line.
BLANK = re.compile(r"\W*(?:[\dTZ:.,+ -]{5,40}\W*)?")
ENDS = re.compile(r"---- ?-?END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-? ?----")
PUTTY_END = re.compile(r"^.{0,60}?Private-(?:MAC|Hash): ")
HEADER = re.compile(r"^.{0,60}?\b[\w-]+: ")  # RFC 1421, 4.6: a blank line and then the key follow
# A line of base64: with letters of both cases and a digit, so that no digest in hexadecimal is one.
BODY = re.compile(
    r"(?:^|.{0,80}?[\s\"'>])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*\d)[A-Za-z0-9+/]{40,}={0,2}[\"',\\]*\s*$"
)
SHORT_BODY = re.compile(r"^[\s\"']*[A-Za-z0-9+/]{4,}={0,2}[\"',\\]*\s*$")
PUTTY = re.compile(r"^.{0,60}?Private-Lines: \d+")
ENCODED = re.compile(rf"LS0tLS1CRUdJTi(?!{PUBLIC_ENCODED})[A-Za-z0-9+/]{{20,}}\s*$")  # padding ends it
OPENERS = (
    Rule("private-key", re.compile("(?!)"), programs=("private key", "private-lines:")),
    Rule("encoded-key", re.compile("(?!)"), prefixes=("ls0tls1crudjti",)),
)
MARK = PRIVATE_KEY.replacement("")


@dataclass(frozen=True)
class KeyBlock:
    """The lines of a private key.  ``body``: its headers are over.  ``gap``: lines since a blank line in the body.

    ``short``: the next line can be the last and short one.
    """

    body: bool = False
    gap: int = 0
    short: bool = False
    rule: ClassVar[str] = "private-key"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if ENDS.search(line):
            return MARK, None
        if found := PUTTY_END.match(line):
            return found[0] + MARK, None
        if self.gap:
            return self._after_blank(line)
        if len(line) <= LONGEST_BLANK and BLANK.fullmatch(line):
            return None, KeyBlock(self.body, gap=int(self.body))
        return MARK, KeyBlock(self.body or not HEADER.match(line))

    def _after_blank(self, line: str) -> tuple[str | None, Continuation | None]:
        if BODY.match(line) or (self.short and SHORT_BODY.match(line)):
            return MARK, KeyBlock(body=True, gap=1, short=True)
        return None, KeyBlock(body=True, gap=self.gap + 1) if self.gap < MOST_GAP else None


@dataclass(frozen=True)
class EncodedKey:
    """The lines of a PEM file in base64, after the first one.  ``short``: the next line can be the last and short one."""

    short: bool = False
    rule: ClassVar[str] = "encoded-key"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if BODY.match(line):
            return "[REDACTED:encoded-key]", EncodedKey(short=True)
        return "[REDACTED:encoded-key]" if self.short and SHORT_BODY.match(line) else None, None


@dataclass(frozen=True)
class Beginning:
    """The beginning of a log, which can be within a key: all lines that look like a key's."""

    short: bool = False
    rule: ClassVar[str] = "private-key"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if ENDS.search(line):
            return MARK if self.short else None, None
        if BODY.match(line) or (self.short and SHORT_BODY.match(line)):
            return MARK, Beginning(short=True)
        return None, None


def opened(line: str) -> Continuation | None:
    """Return what a line opens."""
    if begins := list(BEGINS.finditer(line)):
        return None if ENDS.search(line, begins[-1].start()) else KeyBlock()
    if PUTTY.search(line):
        return KeyBlock()
    return EncodedKey() if ENCODED.search(line) else None


BEGINS = re.compile(r"---- ?-?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-? ?----")
