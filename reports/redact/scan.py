"""The final scan of a finished bundle: a match of a sure rule prevents the publication."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from lab.base.errors import InfrastructureError
from reports.bundle import Readable
from reports.redact.known_secrets import Secret, forms
from reports.redact.rule import Rule
from reports.redact.screen import Screen

CHUNK = 1 << 20
OVERLAP = 4096
WRAPS = re.compile(rb"\0+|(?:\\[nr]|&#1[03];|[\r\n])+[ \t]*")  # zero bytes: UTF-16


class Held(InfrastructureError):
    """Nothing is published: a sure rule still matches, or the filter failed."""


@dataclass(frozen=True)
class Scanner:
    """The scan for known secrets and sure rules in any bytes: text, JSON, XML or binary."""

    secrets: tuple[Secret, ...]
    rules: tuple[Rule, ...]

    @cached_property
    def _forms(self) -> list[tuple[bytes, str]]:
        return [
            (form.encode("utf-8", "surrogateescape"), secret.name)
            for secret in self.secrets
            for form in forms(secret.value)
        ]

    @cached_property
    def _screen(self) -> Screen:
        """The sure rules except those of known secrets."""
        known = {secret.name for secret in self.secrets}
        return Screen([rule for rule in self.rules if rule.sure and rule.name not in known])

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[bytes], str]]:
        return [(re.compile(rule.pattern.pattern.encode()), rule.name) for rule in self._screen.rules]

    def __call__(self, stream: Readable) -> None:
        """Raise Held with the name of the rule at the first match."""
        for name in self.matches(stream):
            raise Held(f"held back: the rule {name} still matches", hint="see: qalab results redact")

    def matches(self, stream: Readable) -> Iterator[str]:
        """Yield the names of the rules that match; wrapped text is also scanned without its line breaks."""
        overlap = max([OVERLAP, *(2 * len(form) for form, _ in self._forms)])
        carry = b""
        while chunk := stream.read(CHUNK):
            data = carry + chunk
            unwrapped = WRAPS.sub(b"", data)
            yield from _first(name for form, name in self._forms if form in data or form in unwrapped)
            wanted = (self._patterns[rank] for rank in sorted(self._screen.ranks(data.lower())))
            yield from _first(name for pattern, name in wanted if pattern.search(data))
            carry = data[-overlap:]


def _first(names: Iterable[str]) -> Iterator[str]:
    name = next(iter(names), None)
    if name is not None:
        yield name
