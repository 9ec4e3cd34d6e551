"""Values without a name of a secret: alone on a line after a prompt or a traced command (``set -x``), or in Vault's table."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

from lab.results.secrets.names import NAME
from lab.results.secrets.pattern import HARMLESS, I
from reports.redact.continuation import CREDENTIAL, Continuation

MOST_LINES = 10
MOST_OF_PIPE = 2  # a later line is the output of another command
# What the confmodule of debconf reads; or a word with a digit, which prose has not.
VALUE = re.compile(r"(\++ RET=)?[\"']?(?P<value>(?(1)[^\s\"'].*?|(?=\S*\d)[^\s\"':{}\[\]#<+-][^\s\"']{7,}))[\"']?\s*$")
TRACED = re.compile(r"\+|\s*'?$")
PROMPT = re.compile(r"\bpass(?:word|phrase) for\s[^\n]{1,200}:\s*$|\(will be hidden\):\s*$", I)
TABLE = re.compile(r"={2,} Data ={2,}\s*$")
ROW = re.compile(r"(?:Key\s+Value|-+\s+-+|\S+\s{2,}(?:\[REDACTED:.*|(?P<value>\S.*?)))\s*$")
COMMAND = re.compile(rf"(?:\++|\$) \S[^\n]*?{NAME}[}}\"']{{0,3}}\s*$", I)


@dataclass(frozen=True)
class Printed:
    """The next lines, to the first one that is neither blank nor a trace."""

    lines: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        found = VALUE.match(line)
        if found and not HARMLESS.fullmatch(found["value"]) and (found[1] or self.lines <= MOST_OF_PIPE):
            return _hidden(line, found), None
        return None, replace(self, lines=self.lines + 1) if self.lines < MOST_LINES and TRACED.match(line) else None


@dataclass(frozen=True)
class Data:
    """The rows of ``vault kv get``, each with a secret."""

    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        found = ROW.match(line)
        return (_hidden(line, found) if found and found["value"] else None), (self if found else None)


def _hidden(line: str, found: re.Match[str]) -> str:
    start, end = found.span("value")
    return line[:start] + CREDENTIAL + line[end:]


def opened(line: str) -> Continuation | None:
    """Return what a line opens."""
    if TABLE.match(line):
        return Data()
    return Printed() if PROMPT.search(line) or COMMAND.match(line) else None
