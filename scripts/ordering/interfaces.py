"""The interface that a library exports to the packages that build-depend on it, read from its binary packages.

It is what deb-shlibs(5) and deb-symbols(5) declare, the sonames of its public libraries, the names and versions that it
provides, and the names of its ABI packages.  Headers, modules of interpreted languages and documentation are not part
of it: a component whose users need a rebuild for those has ``build.rebuild_dependents: always``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields

from lab.base.text import first_of
from scripts.archives.package_content import BinaryContent

# /usr/lib/libgreet.so.2 and below the directory of an architecture, but not a plug-in in a directory of its own.
SONAME = re.compile(r"usr/lib(?:32|64|x32)?/(?:[\w]+-[\w-]+/)?(lib[^/]+\.so\.[\d.]*\d|lib[^/]+-\d[^/]*\.so)$")
# libgreet2, python3-greet-abi4, perlapi-5.36: names that change with the ABI.
ABI_PACKAGE = re.compile(r"lib.*\d[a-z]?(t64)?$|.*-?(abi|api)-?[\w.]*\d")


@dataclass(frozen=True)
class ExportedInterface:
    """The interface of one build; each set has texts for people."""

    packages: frozenset[str] = frozenset()
    sonames: frozenset[str] = frozenset()
    shlibs: frozenset[str] = frozenset()
    symbols: frozenset[str] = frozenset()
    provides: frozenset[str] = frozenset()


def interface_of(packages: Iterable[BinaryContent]) -> ExportedInterface:
    """Return the interface of the binary packages of one build of a source package."""
    built = list(packages)
    return ExportedInterface(
        frozenset(each.name for each in built if ABI_PACKAGE.fullmatch(each.name)),
        frozenset(
            match[1] for each in built for path in each.files if (match := SONAME.match(path)) and _short(match[1])
        ),
        frozenset().union(*(each.shlibs for each in built)),
        frozenset().union(*(each.symbols for each in built)),
        frozenset().union(*(each.provides - {name.split()[0] for name in each.provided_versions} for each in built))
        | frozenset().union(*(each.provided_versions for each in built)),
    )


def _short(name: str) -> bool:
    """Return whether a file name is a soname (libz.so.1), and not that of the library itself (libz.so.1.3.1)."""
    return name.rpartition(".so.")[2].count(".") == 0 or name.endswith(".so")


def interface_changes(before: ExportedInterface, now: ExportedInterface) -> str:
    """Return the differences of two interfaces in one line; "" where they are the same."""
    parts = []
    for kind in fields(ExportedInterface):
        old, new = getattr(before, kind.name), getattr(now, kind.name)
        parts += [f"{kind.name} gone: {first_of(sorted(old - new))}"] if old - new else []
        parts += [f"{kind.name} new: {first_of(sorted(new - old))}"] if new - old else []
    return "; ".join(parts)
