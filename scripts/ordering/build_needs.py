"""The edges of the graph: build dependencies of a source package that other components of the lab satisfy.

The rules are those of the Debian policy, 7.1 and 7.7, and https://wiki.debian.org/BuildProfileSpec.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from debian.deb822 import Deb822, PkgRelation

from lab.results.component_graph import ComponentGraph

FIELDS = ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep")


@dataclass(frozen=True)
class SourceDescription:
    """A source package: its build dependencies, and the names of its binary packages and of what these provide.

    ``build_depends``: one text for each dependency, with its alternatives.  ``version`` is empty for a package that the
    lab has never built.
    """

    name: str
    version: str = ""
    build_depends: tuple[str, ...] = ()
    binaries: frozenset[str] = frozenset()
    provides: frozenset[str] = frozenset()


def of_stanzas(name: str, source: str, binaries: Iterable[str]) -> SourceDescription:
    """Return the description of a built package, from its paragraphs in the indices of an archive."""
    fields, built = Deb822(source), [Deb822(text) for text in binaries]
    named = {word for word in fields.get("Binary", "").replace(",", " ").split() if word}
    return SourceDescription(
        name,
        fields["Version"],
        _build_depends(fields),
        frozenset(named | {each["Package"] for each in built}),
        frozenset(_provided(built)),
    )


def of_control(name: str, text: str) -> SourceDescription:
    """Return the description of a package that was never built, from its debian/control.

    Raises ValueError for a text without a paragraph of a source package.
    """
    # Comments end a paragraph for some parsers; deb822(5) removes them.
    lines = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    paragraphs = list(Deb822.iter_paragraphs(lines, use_apt_pkg=False))
    if not paragraphs or "Source" not in paragraphs[0]:
        raise ValueError("debian/control: its first paragraph must have the field Source")
    built = [each for each in paragraphs[1:] if "Package" in each]
    return SourceDescription(
        name,
        build_depends=_build_depends(paragraphs[0]),
        binaries=frozenset(each["Package"] for each in built),
        provides=frozenset(_provided(built)),
    )


def _build_depends(fields: Deb822) -> tuple[str, ...]:
    texts = (" ".join(text.split()) for field in FIELDS for text in fields.get(field, "").split(","))
    return tuple(dict.fromkeys(text for text in texts if text and not text.startswith("${")))


def _provided(paragraphs: Iterable[Deb822]) -> Iterator[str]:
    for fields in paragraphs:
        for text in fields.get("Provides", "").split(","):
            if (words := text.split()) and not words[0].startswith("${"):
                yield words[0].partition(":")[0]


def component_graph(
    sources: Iterable[SourceDescription],
    architecture: str,
    profiles: Mapping[str, Collection[str]] | None = None,
    unknown: Mapping[str, str] | None = None,
) -> ComponentGraph:
    """Return the graph of source packages.

    Of alternatives, the first that a component of the lab satisfies counts; a binary package of that name takes
    precedence over one that provides it.  Versions do not count: a component that must become newer is built first.
    ``profiles``: the build profiles of each component.
    """
    known = list(sources)
    owners = {name: source.name for source in known for name in source.provides}
    owners |= {name: source.name for source in known for name in source.binaries}
    relations: dict[str, dict[str, tuple[str, ...]]] = {}
    for source in known:
        found: dict[str, tuple[str, ...]] = {}
        for text in source.build_depends:
            names = applicable(text, architecture, (profiles or {}).get(source.name, ()))
            need = next((owners[name] for name in names if name in owners), source.name)
            if need != source.name:
                found[need] = (*found.get(need, ()), text)
        relations[source.name] = found
    return ComponentGraph(relations, {source.name: source.version for source in known}, dict(unknown or {}))


def applicable(clause: str, architecture: str, profiles: Collection[str]) -> list[str]:
    """Return the names of the alternatives that apply to an architecture and to build profiles."""
    return [
        each["name"]
        for alternatives in PkgRelation.parse_relations(clause)
        for each in alternatives
        if _for_architecture(each["arch"], architecture) and _for_profiles(each["restrictions"], profiles)
    ]


def _for_architecture(terms: Iterable[tuple[bool, str]] | None, architecture: str) -> bool:
    """Return whether ``[amd64 any-i386]`` or ``[!armel]`` includes an architecture; see deb-src-control(5)."""
    if not terms:
        return True
    names = {architecture, "any", "linux-any", f"any-{architecture}", f"linux-{architecture}"}
    listed = list(terms)
    positive = any(enabled for enabled, _ in listed)
    return positive == any(name in names for _, name in listed)


def _for_profiles(lists: Iterable[Iterable[tuple[bool, str]]] | None, profiles: Collection[str]) -> bool:
    """Return whether ``<!nocheck> <cross stage1>`` holds: one of its lists must hold as a whole."""
    if not lists:
        return True
    return any(all(enabled == (profile in profiles) for enabled, profile in terms) for terms in lists)
