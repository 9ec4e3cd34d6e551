"""A value that stands alone on a line: after a prompt, or as the output of a command that a shell traces (``set -x``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

from lab.results.secrets.names import NAME
from lab.results.secrets.pattern import I
from reports.redact.continuation import CREDENTIAL, Continuation

MOST_LINES = 10
# What the confmodule of debconf reads; or a word with a digit, which prose has not.
VALUE = re.compile(r"(\++ RET=)?[\"']?(?P<value>(?(1)[^\s\"'].*?|(?=\S*\d)[^\s\"':{}\[\]#<+-][^\s\"']{7,}))[\"']?\s*$")
TRACED = re.compile(r"\+|\s*'?$")
PROMPT = re.compile(r"\bpass(?:word|phrase) for\s[^\n]{1,200}:\s*$|\(will be hidden\):\s*$", I)
COMMAND = re.compile(rf"(?:\++|\$) \S[^\n]*?{NAME}[}}\"']{{0,3}}\s*$", I)


@dataclass(frozen=True)
class Printed:
    """The next lines, to the first one that is neither blank nor a trace."""

    lines: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if found := VALUE.match(line):
            start, end = found.span("value")
            return line[:start] + CREDENTIAL + line[end:], None
        return None, replace(self, lines=self.lines + 1) if self.lines < MOST_LINES and TRACED.match(line) else None


def opened(line: str) -> Printed | None:
    """Return what a line opens."""
    return Printed() if PROMPT.search(line) or COMMAND.match(line) else None
