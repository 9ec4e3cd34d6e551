"""Logs as HTML lists: escaped text with an anchor on each line, colours as CSS classes, and no links from the text.

The converter is qalab's own: ansi2html 1.9 turns OSC 8 into links, leaves other OSC sequences in the text, and uses a
class for each of 16 million colours; a static stylesheet (the CSP allows no other) cannot have rules for them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import IO, Final

from markupsafe import Markup

from lab.results import addresses
from reports.model import Log

LINES: Final = 2000  # for each page
TAIL: Final = 20
TAIL_WIDTH: Final = 300
NONE: Final[Mapping[str, str]] = {}
BEFORE: Final = 8  # lines of context of the line that a message is from
AFTER: Final = 6
SHORT: Final = 8  # characters of a message that any line can contain
# Colours and bold stay, every other sequence is removed (ECMA-48: CSI, OSC, and sequences of two characters).
SEQUENCE: Final = re.compile(r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.|$)")
RESET, BOLD, NOT_BOLD, DEFAULT = 0, 1, 22, 39
COLOURS: Final = range(30, 38)
BRIGHT: Final = range(90, 98)


@dataclass(frozen=True)
class Section:
    """The lines of one log on a page; ``anchor`` is the prefix of their anchors, ``first`` the number of the first line."""

    name: str
    anchor: str
    first: int
    lines: list[str] = field(default_factory=list)

    @property
    def html(self) -> Markup:
        return Markup("".join(self.lines))  # noqa: S704 - the lines are escaped below

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


@dataclass(frozen=True)
class Paged:
    """The logs of a build in pages; ``starts`` and ``ends`` are the addresses of the ends of each log: ``PAGE#ANCHOR``.

    ``places`` are the lines that contain the message of the log's step, in the logs that have one.
    """

    pages: list[list[Section]]
    starts: Mapping[str, str]
    ends: Mapping[str, str]
    tails: Mapping[str, tuple[str, ...]]
    places: Mapping[str, MessagePlace]


@dataclass
class MessagePlace:
    """The first line of a log that contains a message: its number and address, and the lines around it."""

    message: str
    number: int = 0
    address: str = ""
    lines: list[str] = field(default_factory=list)

    def read(self, line: str, number: int, address: str) -> None:
        """Take the next line of the log."""
        if self.number:
            self.lines += [line] * (number <= self.number + AFTER)
        elif len(self.message) >= SHORT:
            self.lines = [*self.lines[-BEFORE:], line]
            if self.message in line:
                self.number, self.address = number, address


def file_name(number: int) -> str:
    return f"log-{number}.html"


def paged(
    logs: Iterable[Log], opened: Callable[[str], IO[bytes]], messages: Mapping[str, str] = NONE, size: int = LINES
) -> Paged:
    """Return all logs, one after another, in pages of ``size`` lines; ``messages`` are those of the logs' steps."""
    pages: list[list[Section]] = []
    starts, ends, tails, places = {}, {}, {}, {}
    room = 0
    for log in logs:
        anchor = addresses.part(log.name)
        tail: deque[str] = deque(maxlen=TAIL)
        ansi, place = AnsiState(), MessagePlace(messages.get(log.name, ""))
        number = 0
        with opened(log.path) as stream:
            for number, line in enumerate(_lines(stream), 1):
                if room == 0:
                    pages.append([])
                    room = size
                if not pages[-1] or pages[-1][-1].anchor != anchor:
                    pages[-1].append(Section(log.name, anchor, number))
                pages[-1][-1].lines.append(f'<li id="{anchor}-{number}">{ansi.html(line)}</li>\n')
                room -= 1
                tail.append(plain(line)[:TAIL_WIDTH])
                place.read(tail[-1], number, f"{file_name(len(pages))}#{anchor}-{number}")
                if number == 1:
                    starts[log.name] = f"{file_name(len(pages))}#{anchor}-1"
        if number:
            ends[log.name] = f"{file_name(len(pages))}#{anchor}-{number}"
            tails[log.name] = tuple(tail)
        if 0 < place.number <= number - TAIL:  # the end of the log does not show it
            places[log.name] = place
    return Paged(pages, starts, ends, tails, places)


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for line in stream:
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def plain(line: str) -> str:
    return SEQUENCE.sub("", line)


@dataclass
class AnsiState:
    """The colour of the text, which lasts from one line to the next."""

    colour: int = 0
    bold: bool = False

    def html(self, line: str) -> str:
        if "\x1b" not in line and not self.classes:
            return escape(line, quote=False)
        parts: list[str] = []
        place = 0
        for match in SEQUENCE.finditer(line):
            parts.append(self._text(line[place : match.start()]))
            if match[2] == "m":
                self._select(match[1])
            place = match.end()
        parts.append(self._text(line[place:]))
        return "".join(parts)

    @property
    def classes(self) -> str:
        return " ".join([f"c{self.colour}"] * bool(self.colour) + ["b"] * self.bold)

    def _text(self, text: str) -> str:
        html = escape(text, quote=False)
        return f'<span class="{self.classes}">{html}</span>' if text and self.classes else html

    def _select(self, parameters: str) -> None:
        """Apply the supported codes of Select Graphic Rendition."""
        for word in parameters.split(";"):
            code = int(word) if word.isascii() and word.isdigit() else 0
            if code == RESET:
                self.colour, self.bold = 0, False
            elif code in {BOLD, NOT_BOLD}:
                self.bold = code == BOLD
            elif code in COLOURS or code in BRIGHT:
                self.colour = code % 10
            elif code == DEFAULT:
                self.colour = 0
