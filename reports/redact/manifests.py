"""A Secret of Kubernetes as YAML or JSON over several lines: every value of its data is a secret, whatever its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from reports.redact.continuation import CREDENTIAL, Continuation

MOST_LINES = 60
KIND = re.compile(r"(?P<indent>(?:.*\s)?)(?:kind:\s+Secret|\"kind\":\s+\"Secret\",?)\s*$")
DATA = re.compile(r"(?P<indent>(?:.*\s)?)(?:(?:data|stringData):|\"(?:data|stringData)\":\s+\{)\s*$")
VERSION = re.compile(r"apiVersion\"?: \"?v1\"?,?$")
PAIR = re.compile(r"[\"']?[\w.-]+[\"']?:\s+[\"']?(?P<value>[^\s\"'|>{].*?)[\"']?,?\s*$")
BASE64 = re.compile(
    r"(?=.*=$|(?=.*\d)(?=.*[A-Z])(?=.*[a-z]))(?:[A-Za-z0-9+/]{4})+[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]{2}|[A-Za-z0-9+/]=|==)"
)


@dataclass(frozen=True)
class Manifest:
    """The rest of a manifest.

    ``column``: that of the keys of the manifest.  ``is_data``: the line is in its data.  ``encoded``: only base64 is
    hidden, because kubectl writes the data before the kind, and those of a ConfigMap are plain.
    """

    column: int
    is_data: bool = False
    encoded: bool = False
    lines: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        text = line[self.column :]
        if self.lines >= MOST_LINES or text.startswith(("---", "...")) or not text.strip():
            return None, None
        more = replace(self, lines=self.lines + 1)
        if not text[:1].isspace():
            is_data = bool(DATA.fullmatch(text))
            return None, None if self.encoded and not is_data else replace(more, is_data=is_data)
        found = PAIR.match(line, self.column + len(text) - len(text.lstrip())) if self.is_data else None
        if not found or (self.encoded and not BASE64.fullmatch(found["value"])):
            return None, more
        start, end = found.span("value")
        return line[:start] + CREDENTIAL + line[end:], more


def opened(line: str, before: Sequence[str]) -> Manifest | None:
    """Return what a line opens, after some lines ``before`` it."""
    if found := KIND.fullmatch(line):
        return Manifest(found.end("indent"))
    found = DATA.fullmatch(line) if before and VERSION.search(before[-1]) else None
    return Manifest(found.end("indent"), is_data=True, encoded=True) if found else None
