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

    ``ruled``: the last line was a ruler; a second one begins another table.  ``inner``: the cells of the row that opened
    this, if it is after a row of as many; it has no headings then, unless a ruler follows.
    """

    secret: tuple[int, ...]
    wrapped: bool = False
    ruled: bool = False
    inner: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if RULER.match(line):
            return None, None if self.wrapped or self.ruled else replace(self, ruled=True, inner=0)
        cells = BAR.split(line)
        if len(cells) in {1, 2, self.inner} or (self.wrapped and cells[1].strip()):  # a row has two bars at least
            return None, None
        bars = BAR.findall(line)
        for at in self.secret:
            if at < len(cells) - 1 and cells[at].strip() and not HARMLESS.fullmatch(cells[at].strip()):
                cells[at] = f" {CREDENTIAL} "
        return "".join(part for pair in zip(cells, [*bars, ""], strict=True) for part in pair), Columns(
            self.secret, self.wrapped
        )


def opened(line: str, before: Sequence[str]) -> Continuation | None:
    """Return what a row of a table opens, after two lines ``before`` it."""
    cells = BAR.split(line)
    columns = len(cells) - 2
    if columns == 2 and is_secret(cells[1]):  # noqa: PLR2004 - a name and a value
        return Columns((2,), wrapped=True)
    if columns < 2 or (columns == 2 and cells[1].strip().lower() not in HEADS):  # noqa: PLR2004 - a list of two columns
        return None
    secret = tuple(_secret_cells(line, cells))
    rows = before[:-1] if before and RULER.match(before[-1]) else before
    after_row = secret and rows and not RULER.match(rows[-1]) and len(BAR.split(rows[-1])) == len(cells)
    return Columns(secret, inner=len(cells) if after_row else 0) if secret else None


def _secret_cells(line: str, cells: Sequence[str]) -> Iterator[int]:
    """Yield the indexes of the cells that are the name of a secret: one of a single word has a name of the line in it."""
    names, first = starts(line), 0
    for index, cell in enumerate(cells):
        end = first + len(cell)
        if (bisect_left(names, first) < bisect_left(names, end) or " " in cell.strip()) and is_secret(cell):
            yield index
        first = end + 1
