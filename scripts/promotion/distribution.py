"""The packages of the distribution that a set of packages can need."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from scripts.migration import indexes
from scripts.migration.indexes import Binary, IndexedSuite
from scripts.migration.relations import RELATION, clauses

NEEDS: Final = ("Pre-Depends", "Depends")
FIELD: Final = re.compile(r"^(Package|Provides|Pre-Depends|Depends):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
ESSENTIAL: Final = "\nEssential: yes\n"


def needed(texts: Iterable[str], binaries: Iterable[Binary], architecture: str) -> IndexedSuite:
    """Return the packages of some Packages files that binary packages need, directly or not, and the essential ones.

    A distribution has 60,000 packages, and a lab needs some hundreds: the judge of installability asks about these alone.
    """
    paragraphs = [f"{text}\n" for whole in texts for text in whole.split("\n\n") if text.strip()]
    providers: dict[str, list[int]] = {}
    for number, text in enumerate(paragraphs):
        for name in _provided(text):
            providers.setdefault(name, []).append(number)
    names = [name for binary in binaries for name in _needs(binary.relations)]
    chosen = {number for number, text in enumerate(paragraphs) if ESSENTIAL in text}
    names += [name for number in chosen for name in _needs(dict(FIELD.findall(paragraphs[number])))]
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name not in seen:
            seen.add(name)
            for number in providers.get(name, ()):
                chosen.add(number)
                names += _needs(dict(FIELD.findall(paragraphs[number])))
    with tempfile.TemporaryDirectory(prefix="qalab-base-") as directory:
        index = Path(directory, f"Packages_{architecture}")
        index.write_text("\n".join(paragraphs[number] for number in sorted(chosen)), encoding="utf-8")
        return indexes.read([index.parent])


def _provided(text: str) -> Iterator[str]:
    """Yield the names that a paragraph provides, its own first."""
    yield text.strip("\n").partition("\n")[0].removeprefix("Package:").strip()
    if "\nProvides:" in text:
        yield from _names(dict(FIELD.findall(text)).get("Provides", ""))


def _needs(fields: Mapping[str, str]) -> Iterator[str]:
    for field in NEEDS:
        yield from _names(fields.get(field, ""))


def _names(field: str) -> Iterator[str]:
    for clause in clauses(field):
        for alternative in clause.split("|"):
            if match := RELATION.match(alternative):
                yield match["name"]
