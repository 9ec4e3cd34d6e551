"""The content of a state that has some candidates and else what the label has."""

from __future__ import annotations

from collections.abc import Iterable

from scripts.archives.content import BINARY, SOURCES, Content
from scripts.archives.stanzas import Stanza


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
        there = [index for index in (base.indices.get(name), newest.indices.get(name)) if index]
        last = there[-1]
        found = {package: stanza for index in there for package, stanza in index.stanzas.items() if listed(stanza)}
        if found or name == SOURCES or name.startswith(BINARY):
            new = {package: stanza for package, stanza in found.items() if last.stanzas.get(package) != stanza}
            indices[name] = last.changed(new, last.stanzas.keys() - found.keys())
    return newest.with_indices(indices)
