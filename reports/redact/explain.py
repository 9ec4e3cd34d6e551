"""The places that would be redacted, and the rules; never the values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lab.base.errors import ConfigurationError
from reports.bundle import Readable
from reports.redact import plain_text
from reports.redact.redactor import Redactor, RedactorState, pieces

CONTROLS = "controls"  # the characters that `reports.redact.plain_text` removes


@dataclass(frozen=True)
class Line:
    """A line of a file in which something would be redacted; ``shown``: the line after redaction."""

    number: int
    rules: list[str]
    shown: str


def stream(redactor: Redactor, source: Readable) -> Iterator[Line]:
    state, number = RedactorState(), 0
    for raw, whole in pieces(source, redactor.line + redactor.overlap):
        for part in raw.splitlines(keepends=True) if whole else [raw]:
            number += 1
            if line := _line(redactor, part, number, state, whole=whole):
                yield line


def _line(redactor: Redactor, raw: bytes, number: int, state: RedactorState, *, whole: bool) -> Line | None:
    plain = plain_text.bare(plain_text.decode(raw)).rstrip("\n")
    within = state.within
    redacted = redactor.piece(raw, state) if whole else redactor.beginning(raw, state)
    shown = plain_text.bare(redacted.decode()).rstrip("\n")
    rules: dict[str, None] = {}
    if shown != plain:  # to ask every rule takes time
        rules = dict.fromkeys(hit.rule for part in plain.split("\n") for hit in redactor.hits(part))
        if within and not rules:
            rules[within.rule] = None
    if plain_text.bare(raw.decode("utf-8", "replace")).rstrip("\r\n") != plain:
        rules[CONTROLS] = None
    return Line(number, list(rules), shown) if rules else None


def sample(redactor: Redactor, name: str, line: str) -> tuple[str, list[str]]:
    """Return a line after redaction by one rule alone, and the names of the rules that matched.

    Raises ConfigurationError for an unknown rule.
    """
    chosen = tuple(rule for rule in redactor.rules if rule.name == name)
    if not chosen:
        known = ", ".join(dict.fromkeys(rule.name for rule in redactor.rules))
        raise ConfigurationError(f"no rule {name}; known: {known}")
    alone = replace(redactor, rules=chosen)
    return alone.text(line), [name] if alone.hits(plain_text.bare(plain_text.clean(line))) else []
