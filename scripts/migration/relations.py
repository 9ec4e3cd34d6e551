"""Relations between packages: the fields Depends and Provides, and versions as dpkg orders them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

# Debian policy 7.1; `<` and `>` are old forms of `<=` and `>=`.
RELATION: Final = re.compile(
    r"\s*(?P<name>[^\s(:|,\[<]+)(?::(?P<arch>[\w-]+))?\s*(?:\(\s*(?P<op><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?"
)
PART: Final = re.compile(r"(?=.)(\D*)(\d*)", re.ASCII)
Parts = tuple[tuple[int, ...] | int, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One alternative of a dependency; ``op`` is empty where every version does."""

    name: str
    op: str = ""
    version: str = ""


def order(left: str, right: str) -> int:
    """Return a number below, equal to or above zero, by the order of two versions; there is one for any text, as in apt."""
    if left == right:
        return 0
    one, other = _key(left), _key(right)
    return (one > other) - (one < other)


@cache
def _key(version: str) -> tuple[Parts, Parts, Parts]:
    """Return what orders a version, as deb-version(7) has it; comparing two texts step by step takes far longer."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return _parts(epoch), _parts(upstream), _parts(revision)


def _parts(text: str) -> Parts:
    """Return the parts of a version in turn: characters, then a number; a tilde is before the end of the characters."""
    found: list[tuple[int, ...] | int] = []
    for characters, digits in PART.findall(text) or [("", "")]:
        ranks = [-1 if each == "~" else ord(each) + 256 * (not each.isalpha()) for each in characters]
        found += [(*ranks, 0), int(digits or 0)]
    return (*found, (0,))


def satisfies(version: str, alternative: Alternative) -> bool:
    """Return whether a version is in the range of an alternative."""
    if not alternative.op:
        return True
    result = order(version, alternative.version)
    match alternative.op:
        case "<<":
            return result < 0
        case "<=" | "<":
            return result <= 0
        case "=":
            return result == 0
        case ">=" | ">":
            return result >= 0
        case _:
            return result > 0


def clauses(field: str) -> Iterator[str]:
    """Split a dependency field into its clauses, each a text of alternatives."""
    for clause in field.split(","):
        if text := " ".join(clause.split()):
            yield text


def alternatives(clause: str, architecture: str) -> tuple[Alternative, ...]:
    """Return the alternatives of a clause for an architecture.

    ``name:any`` and the architecture itself are the plain name.  Another architecture stays a part of the name, which
    no package of this architecture has.
    """
    found = []
    for text in clause.split("|"):
        match = RELATION.match(text)
        if not match:
            continue
        name, arch = match["name"], match["arch"]
        if arch not in {None, "any", "native", architecture}:
            name = f"{name}:{arch}"
        found.append(Alternative(name, match["op"] or "", match["version"] or ""))
    return tuple(found)


def provided(field: str, architecture: str) -> Iterator[tuple[str, str]]:
    """Return the names that a field Provides has, each with its version (empty: none)."""
    for clause in clauses(field):
        for alternative in alternatives(clause, architecture):
            yield alternative.name, alternative.version


def provision_satisfies(version: str, alternative: Alternative) -> bool:
    """Return whether a provided name satisfies an alternative: one without a version satisfies no range."""
    return satisfies(version, alternative) if version else not alternative.op
