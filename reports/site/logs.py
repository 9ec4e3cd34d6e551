"""Logs as HTML: escaped text with an anchor on each line, colours as CSS classes, never a link made of the text.

The converter is our own: ansi2html 1.9 makes links of OSC 8, leaves other OSC sequences in the text, and makes a class of
each of 16 million colours, for which no stylesheet that is written once (and so allowed by our CSP) can have rules.
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

LINES: Final = 2000  # of a page
TAIL: Final = 20
TAIL_WIDTH: Final = 300
# Colours and boldness are kept, every other sequence goes (ECMA-48: CSI, OSC, and what has two characters).
SEQUENCE: Final = re.compile(r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.|$)")
RESET, BOLD, NOT_BOLD, DEFAULT = 0, 1, 22, 39
COLOURS: Final = range(30, 38)
BRIGHT: Final = range(90, 98)


@dataclass(frozen=True)
class Section:
    """Lines of one log on a page; ``anchor`` begins the anchors of its lines, ``first`` is the first line's number."""

    name: str
    anchor: str
    first: int
    lines: list[str] = field(default_factory=list)

    @property
    def html(self) -> Markup:
        return Markup("".join(self.lines))  # noqa: S704 - made of escaped text below

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


@dataclass(frozen=True)
class Paged:
    """The logs of a build in pages; ``starts`` and ``ends`` say where each log begins and ends: ``PAGE#ANCHOR``."""

    pages: list[list[Section]]
    starts: Mapping[str, str]
    ends: Mapping[str, str]
    tails: Mapping[str, tuple[str, ...]]


def file_name(number: int) -> str:
    return f"log-{number}.html"


def paged(logs: Iterable[Log], opened: Callable[[str], IO[bytes]], size: int = LINES) -> Paged:
    """All logs, one behind the other, ``size`` lines a page."""
    pages: list[list[Section]] = []
    starts, ends, tails = {}, {}, {}
    room = 0
    for log in logs:
        anchor = addresses.part(log.name)
        tail: deque[str] = deque(maxlen=TAIL)
        pen = AnsiState()
        number = 0
        with opened(log.path) as stream:
            for number, line in enumerate(_lines(stream), 1):
                if room == 0:
                    pages.append([])
                    room = size
                if not pages[-1] or pages[-1][-1].anchor != anchor:
                    pages[-1].append(Section(log.name, anchor, number))
                pages[-1][-1].lines.append(_numbered(anchor, number, pen.html(line)))
                room -= 1
                tail.append(plain(line)[:TAIL_WIDTH])
                if number == 1:
                    starts[log.name] = f"{file_name(len(pages))}#{anchor}-1"
        if number:
            ends[log.name] = f"{file_name(len(pages))}#{anchor}-{number}"
            tails[log.name] = tuple(tail)
    return Paged(pages, starts, ends, tails)


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for line in stream:
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def _numbered(anchor: str, number: int, html: str) -> str:
    place = f"{anchor}-{number}"
    return f'<span id="{place}"><a href="#{place}">{number}</a>{html}\n</span>'


def plain(line: str) -> str:
    return SEQUENCE.sub("", line)


@dataclass
class AnsiState:
    """What colour the text has, from one line to the next."""

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
        """Select Graphic Rendition: what of it we keep."""
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
