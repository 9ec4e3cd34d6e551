"""The lab's own exercises: one case in each line, see `lab.results.cases`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lab.results import cases
from lab.results.cases import Case, NotCases
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = cases.FORMAT
MARK = re.compile(rb'\A\{"schema": ?\d+, ?"suite": ?"')


def parse(path: Path) -> Iterator[Case]:
    try:
        yield from cases.parse(excerpts.text(path))
    except NotCases as error:
        raise Unreadable(str(error)) from None
