"""The lab's own exercises: a JSON object a line, a case each, as `scripts.exercises.cases` writes them down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from reports.formats import texts
from reports.formats.texts import Unreadable
from reports.model import Case

FORMAT = "cases"
MARK = re.compile(rb'\A\{"suite": "[^"]*", "name": "')
SUITE = "exercise"


def parse(path: Path) -> Iterator[Case]:
    for number, line in enumerate(texts.text(path).splitlines(), start=1):
        try:
            told = json.loads(line)
            output = told.pop("output", "")
            evidence = {"output" if told["outcome"] == "passed" else "evidence": output}
            yield Case(**{**told, **evidence, "suite": SUITE, "classname": told["suite"]})
        except (ValueError, ValidationError, TypeError, KeyError, AttributeError, RecursionError):
            raise Unreadable(f"has no case on line {number}") from None
