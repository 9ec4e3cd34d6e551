"""Logs on pages: the lines that matter as HTML lists, and the whole text in a compressed file.

A page shows the beginning and the end of a log, the lines around the message of its step, and the headings of sbuild's
sections.  Each of these lines has an anchor, and all links of the site lead to them.  A log of more lines has a file of
its own, plain text that is compressed once: HTML of all lines takes ten times the space of the bundle.  A script opens
the omitted lines on the page.

The converter of colours is qalab's own: ansi2html 1.9 turns OSC 8 into links, leaves other OSC sequences in the text,
and uses a class for each of 16 million colours; a static stylesheet (the CSP allows no other) cannot have rules for them.
"""

from __future__ import annotations

import gzip
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import IO, Final

from markupsafe import Markup

from lab.results import addresses
from reports.model import Log
from reports.site.render import fit

PAGE: Final = "log-1.html"  # a permanent address
HEAD: Final = 20
TAIL: Final = 60
END: Final = 20  # lines of the end on the page of the build
TAIL_WIDTH: Final = 300
WIDEST: Final = 2000  # characters of a line on the page
BEFORE: Final = 8  # lines of context of the line that a message is from
AFTER: Final = 6
SHORT: Final = 8  # characters of a message that any line can contain
LONG: Final = 12  # characters of a line that no message contains by chance
HEADINGS: Final = 40
# sbuild's headings are frames of 80 characters; since 0.88 they end with the date.
HEADING: Final = re.compile(r"[|│] (\S.*?) *(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4} )?[|│]")
FRAME_WIDTH: Final = 80
# Colours and bold stay, every other sequence is removed (ECMA-48: CSI, OSC, and sequences of two characters).
SEQUENCE: Final = re.compile(r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.|$)")
RESET, BOLD, NOT_BOLD, DEFAULT = 0, 1, 22, 39
COLOURS: Final = range(30, 38)
BRIGHT: Final = range(90, 98)


@dataclass(frozen=True)
class Excerpt:
    """Consecutive lines of a log as HTML list items; ``first`` is the number of the first one."""

    first: int
    lines: tuple[str, ...]

    @property
    def html(self) -> Markup:
        return Markup("".join(self.lines))  # noqa: S704 - the lines are escaped below

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


@dataclass
class MessagePlace:
    """The first line of a log that has a message, or a part of it: its number, and the lines around it."""

    message: str
    number: int = 0
    lines: list[str] = field(default_factory=list)

    def read(self, line: str, number: int) -> bool:
        """Take the next line of the log; return whether it is the one."""
        if self.number:
            self.lines += [line] * (number <= self.number + AFTER)
            return False
        if len(self.message) < SHORT:
            return False
        self.lines = [*self.lines[-BEFORE:], line]
        # A message can name several lines: "build failed: x.c:1: error: no such thing (make: *** [x.o] Error 1)".
        part = line.strip()
        if self.message in line or (len(part) >= LONG and part in self.message):
            self.number = number
        return bool(self.number)


@dataclass(frozen=True)
class LogView:
    """A log on the page; ``anchor`` is the prefix of the anchors of its lines, ``count`` the number of all lines.

    ``headings``: number and text.  ``place`` is the line with the message of the log's step, None without one.
    ``tail``: the end as plain text.
    """

    name: str
    anchor: str
    count: int
    excerpts: tuple[Excerpt, ...]
    headings: tuple[tuple[int, str], ...]
    place: MessagePlace | None
    tail: tuple[str, ...]

    @property
    def file(self) -> str:
        """The file with the whole log, "" if the page shows all of it."""
        return "" if self.count == sum(len(part.lines) for part in self.excerpts) else f"{self.anchor}.txt.gz"

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """The first and last omitted line after each excerpt but the last."""
        following = zip(self.excerpts, self.excerpts[1:], strict=False)
        return tuple((part.last + 1, after.first - 1) for part, after in following)

    def address(self, number: int) -> str:
        return f"{PAGE}#{self.anchor}-{number}"

    @property
    def start(self) -> str:
        return self.address(1) if self.count else ""

    @property
    def end(self) -> str:
        return self.address(self.count) if self.count else ""

    @property
    def earlier_place(self) -> MessagePlace | None:
        """The place of the message, unless the end of the log on the page of the build shows it."""
        return self.place if self.place and self.place.number <= self.count - END else None


def log_view(log: Log, stream: IO[bytes], message: str = "") -> LogView:
    """Return the view of a log; ``message`` is that of its step."""
    reader = _LogReader(addresses.part(log.name), MessagePlace(message))
    for line in _lines(stream):
        reader.read(line)
    return LogView(
        name=log.name,
        anchor=reader.anchor,
        count=reader.count,
        excerpts=tuple(reader.excerpts()),
        headings=tuple(reader.headings),
        place=reader.place if reader.place.number else None,
        tail=tuple(reader.end),
    )


@dataclass
class _LogReader:
    """The lines to show of a log, as far as it is read; ``recent`` are the newest lines as HTML."""

    anchor: str
    place: MessagePlace
    count: int = 0
    kept: dict[int, str] = field(default_factory=dict)
    recent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=TAIL))
    end: deque[str] = field(default_factory=lambda: deque(maxlen=END))
    headings: list[tuple[int, str]] = field(default_factory=list)
    keep_until: int = HEAD
    ansi: AnsiState = field(default_factory=lambda: AnsiState())  # noqa: PLW0108 - defined below

    def read(self, line: str) -> None:
        self.count += 1
        text = plain(line)
        self.recent.append((self.count, self._item(line, text)))
        self.end.append(text[:TAIL_WIDTH])
        if self.place.read(self.end[-1], self.count):
            self.kept.update(list(self.recent)[-BEFORE - 1 :])
            self.keep_until = max(self.keep_until, self.count + AFTER)
        if heading := len(text) == FRAME_WIDTH and len(self.headings) < HEADINGS and HEADING.fullmatch(text):
            self.headings.append((self.count, heading[1]))
        if heading or self.count <= self.keep_until:
            self.kept.update([self.recent[-1]])

    def _item(self, line: str, text: str) -> str:
        html = self.ansi.html(line)
        if len(text) > WIDEST:
            html = f"{escape(text[:WIDEST], quote=False)} [… {len(text) - WIDEST} characters left out …]"
        return f'<li id="{self.anchor}-{self.count}">{html}</li>\n'

    def excerpts(self) -> Iterator[Excerpt]:
        shown = sorted((self.kept | dict(self.recent)).items())
        begin = 0
        for place in range(1, len(shown) + 1):
            if place == len(shown) or shown[place][0] != shown[place - 1][0] + 1:
                yield Excerpt(shown[begin][0], tuple(item for _, item in shown[begin:place]))
                begin = place


def text_file(stream: IO[bytes]) -> bytes:
    """Return a log as compressed plain text: UTF-8, without control sequences."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as out:
        for line in _lines(stream):
            out.write(f"{fit(plain(line))}\n".encode("utf-8", "replace"))
    return packed.getvalue()


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
