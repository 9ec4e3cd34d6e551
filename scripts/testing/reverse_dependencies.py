"""The source packages whose tests a change can break: those that depend on its binary packages, or name them as triggers.

The rule is britney's (``tests_for_source`` in policies/autopkgtest.py): a source package with tests is tested if one of
its binary packages depends directly on a changed one, or if its field Testsuite-Triggers names one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from debian.deb822 import Packages
from debian.debian_support import Version

from scripts.migration.relations import alternatives, clauses

NEEDS: Final = ("Pre-Depends", "Depends", "Recommends")
TRIGGERS: Final = "Testsuite-Triggers"
STRICT: Final = frozenset({"=", "<<", "<=", "<"})
Paragraph = Mapping[str, str]


@dataclass(frozen=True)
class ReverseDependency:
    """A source package with tests; ``reasons``: its relations with the changed packages, for people."""

    source: str
    reasons: tuple[str, ...]
    ours: bool = False
    strict: bool = False
    needs: bool = False

    @property
    def rank(self) -> tuple[bool, bool, bool, int, str]:
        """The order of tests: of the lab first, then by how closely a package depends on the change."""
        return not self.ours, not self.strict, not self.needs, -len(self.reasons), self.source


def naming(text: str, fields: Sequence[str], names: Iterable[str]) -> Iterator[Packages]:
    """Yield the paragraphs of an index that have one of some words in one of some fields.

    To parse all paragraphs of a distribution would take half a minute.
    """
    words, keys = "|".join(map(re.escape, sorted(names))), "|".join(fields)
    likely = re.compile(rf"^(?:{keys}):(?:.*[\s,|])?(?:{words})(?![\w.+-])", re.MULTILINE)
    padded = f"\n\n{text}\n\n" if words else ""
    starts = sorted({padded.rfind("\n\n", 0, match.start()) + 2 for match in likely.finditer(padded)})
    yield from (Packages(padded[start : padded.index("\n\n", start)]) for start in starts)


def newest(paragraphs: Iterable[Packages]) -> dict[str, Packages]:
    """Return the paragraph of the newest version of each package."""
    found: dict[str, Packages] = {}
    for each in paragraphs:
        other = found.get(each["Package"])
        if other is None or Version(each["Version"]) > Version(other["Version"]):
            found[each["Package"]] = each
    return found


@dataclass(frozen=True)
class SuiteIndices:
    """The texts of Packages and Sources files of one place."""

    packages: Sequence[str]
    sources: Sequence[str]
    ours: bool = False


def reverse_dependencies(
    changed: frozenset[str], source: str, places: Sequence[SuiteIndices], architecture: str
) -> list[ReverseDependency]:
    """Return what a change can break, the likeliest first.

    ``changed``: the names of the changed binary packages; ``source``: their source package.  An earlier place has the
    source package if several have it.
    """
    found: dict[str, ReverseDependency] = {}
    for place in places:
        for name, each in of_place(changed, place, architecture).items():
            if name != source:
                found.setdefault(name, each)
    return sorted(found.values(), key=lambda each: each.rank)


def of_place(changed: frozenset[str], place: SuiteIndices, architecture: str) -> dict[str, ReverseDependency]:
    """Return the source packages of one place that have tests and a relation with the changed packages."""
    relations: dict[str, list[tuple[str, str, str]]] = {}
    users = {each["Package"] for text in place.packages for each in naming(text, NEEDS, changed)}
    for item in newest(each for text in place.packages for each in naming(text, ["Package"], users)).values():
        for op, reason in _needs(item, changed, architecture):
            relations.setdefault(str(item.source), []).append(("needs", op, reason))
    for item in newest(each for text in place.sources for each in naming(text, [TRIGGERS], changed)).values():
        named = sorted(changed & set(re.split(r"[,\s]+", item.get(TRIGGERS, ""))))
        reasons = [("triggers", "", f"its tests use {name}") for name in named]
        relations.setdefault(item["Package"], []).extend(reasons)
    if not relations:
        return {}
    testing = newest(each for text in place.sources for each in naming(text, ["Package"], relations))
    return {
        name: ReverseDependency(
            name,
            tuple(dict.fromkeys(reason for _, _, reason in found)),
            place.ours,
            any(op in STRICT for _, op, _ in found),
            any(kind == "needs" for kind, _, _ in found),
        )
        for name, found in relations.items()
        if found and name in testing and testing[name].get("Testsuite", "")
    }


def _needs(item: Packages, changed: frozenset[str], architecture: str) -> Iterator[tuple[str, str]]:
    """Yield the operator and the text of each relation of a package with the changed ones."""
    for key in NEEDS:
        for clause in clauses(item.get(key, "")):
            for each in alternatives(clause, architecture):
                if each.name in changed:
                    bound = f" ({each.op} {each.version})" if each.op else ""
                    verb = "recommends" if key == "Recommends" else "depends on"
                    yield each.op, f"{item['Package']} {verb} {each.name}{bound}"
