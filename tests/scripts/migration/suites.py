"""Suites in a few words: a line is ``SOURCE VERSION > BINARY ... & BINARY ...``.

A binary is a name, then in any order ``/ARCH`` (amd64 and arm64, all, or one), ``=VERSION``, ``@SECTION``, ``: DEPENDS``,
``! CONFLICTS``, ``% PROVIDES``, ``+essential``.  A later line is newer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from scripts.migration.indexes import Binary, IndexedSuite, SourceStanza

FIELDS = {":": "Depends", "!": "Conflicts", "%": "Provides"}


def suite(text: str, architectures: Sequence[str] = ("amd64",)) -> IndexedSuite:
    sources: dict[str, SourceStanza] = {}
    binaries: dict[str, dict[str, Binary]] = {arch: {} for arch in architectures}
    superseded: list[tuple[str, Binary]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        head, _, rest = f"{line} ".partition(" > ")
        source, version, *old = head.split()
        made = [(word, *_binary(word, source, version)) for word in filter(None, map(str.strip, rest.split(" & ")))]
        if not old:  # a third word: binaries of an old version, whose source is gone
            sources[source] = SourceStanza(version, tuple(binary.name for _, binary, _ in made))
        for _, binary, arch in made:
            for known in architectures:
                if arch in {known, "all", ""}:
                    if (older := binaries[known].get(binary.name)) and older.source != source:
                        superseded.append((known, older))
                    binaries[known][binary.name] = replace(binary, architecture=arch or known)
    return IndexedSuite(sources, binaries, superseded)


def _binary(text: str, source: str, version: str) -> tuple[Binary, str]:
    name, *parts = re.split(r"\s+(?=[/=@:!%+](?:\S|\s))", text.strip())
    values = {part[0]: part[1:].strip() for part in parts}
    arch = values.get("/", "")
    relations = {field: values[mark] for mark, field in FIELDS.items() if mark in values}
    if "+" in values:
        relations["Essential"] = "yes"
    binary = Binary(name, values.get("=", version), arch, source, version, values.get("@", "misc"), relations)
    return binary, arch


def names(items: Iterable[object]) -> str:
    return " ".join(sorted(map(str, items)))
