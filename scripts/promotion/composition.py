"""The content of a state that has some candidates and else what the label has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scripts.archives.content import SOURCES, Content
from scripts.archives.stanzas import Stanza

BINARY = "main/binary-"


def compose(base: Content, newest: Content, packages: Iterable[tuple[str, str, str]]) -> Content:
    """Return the packages of two contents that a migration lists as (name, version, architecture).

    A package for the installer follows its source, because a migration does not list it.
    """
    chosen = set(packages)
    sources = {(name, version) for name, version, architecture in chosen if architecture == "source"}

    def listed(stanza: Stanza) -> bool:
        if stanza.kind == "udeb":
            return (stanza.source, stanza.source_version) in sources
        architecture = "source" if stanza.kind == "source" else stanza.architecture
        return (stanza.package, stanza.version, architecture) in chosen

    indices = {}
    for name in [*newest.indices, *(name for name in base.indices if name not in newest.indices)]:
        both = {**base.indices.get(name, {})}, {**newest.indices.get(name, {})}
        found = {package: stanza for index in both for package, stanza in index.items() if listed(stanza)}
        if found or name == SOURCES or name.startswith(BINARY):
            indices[name] = found
    return replace(newest, indices=indices)
