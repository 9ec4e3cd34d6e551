"""Tables that clients print: the columns and rows of secrets."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from lab.results.secrets.names import is_secret, starts
from lab.results.secrets.pattern import HARMLESS
from reports.redact.continuation import CREDENTIAL, Continuation

BAR = re.compile("[|\u2502]")
RULER = re.compile("^[^|\u2502]*[+\u253c\u251c\u2514][-=\u2500+\u253c\u2534\u2518\u2524]{3,}\\s*$")
HEADS = {"id", "name", "user", "username", "user name", "login", "host", "project", "account"}


@dataclass(frozen=True)
class Columns:
    """The rows of a table: the secret ones of its columns; of two columns, the value of a name that needs several rows.

    ``ruled``: the last line was a ruler; a second one begins another table.
    """

    secret: tuple[int, ...]
    wrapped: bool = False
    ruled: bool = False
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if RULER.match(line):
            return None, None if self.wrapped or self.ruled else replace(self, ruled=True)
        cells = BAR.split(line)
        if len(cells) <= 2 or (self.wrapped and cells[1].strip()):  # noqa: PLR2004 - a row has two bars at least
            return None, None
        bars = BAR.findall(line)
        for at in self.secret:
            if at < len(cells) - 1 and cells[at].strip() and not HARMLESS.fullmatch(cells[at].strip()):
                cells[at] = f" {CREDENTIAL} "
        return "".join(part for pair in zip(cells, [*bars, ""], strict=True) for part in pair), Columns(
            self.secret, self.wrapped
        )


@dataclass(slots=True)  # a frozen one takes three times as long to make
class TableRow:
    """A row after another one of as many ``bars``: it has headings only if a ruler, or a row of another form, follows."""

    line: str
    bars: int
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        bars = _bars(line)
        if bars in {0, 1, self.bars} and not RULER.match(line):
            return None, None
        columns = _columns(self.line)
        return columns.take(line) if columns else (None, None)


def opened(line: str, before: Sequence[str]) -> Continuation | None:
    """Return what a row of a table opens, after two lines ``before`` it."""
    bars = _bars(line)
    if bars < 3:  # noqa: PLR2004 - of two columns
        return None
    if bars == 3:  # noqa: PLR2004
        name = BAR.split(line)[1]
        if is_secret(name):
            return Columns((2,), wrapped=True)
        if name.strip().lower() not in HEADS:  # a list of two columns
            return None
    rows = before[:-1] if before and RULER.match(before[-1]) else before
    if rows and _bars(rows[-1]) == bars and not RULER.match(rows[-1]):
        return TableRow(line, bars)  # most rows: their cells need no look
    return _columns(line)


def _bars(line: str) -> int:
    return line.count("|") + line.count("\u2502")


def _columns(line: str) -> Columns | None:
    """Return the columns that a row of headings says are secret."""
    secret = tuple(_secret_cells(line, BAR.split(line)))
    return Columns(secret) if secret else None


def _secret_cells(line: str, cells: Sequence[str]) -> Iterator[int]:
    """Yield the indexes of the cells that are the name of a secret: one of a single word has a name of the line in it."""
    names, first = starts(line), 0
    for index, cell in enumerate(cells):
        end = first + len(cell)
        if (bisect_left(names, first) < bisect_left(names, end) or " " in cell.strip()) and is_secret(cell):
            yield index
        first = end + 1
