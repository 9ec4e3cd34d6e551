"""The orig tarballs that the lab's archive has already: one name never has two contents.

A tarball of the same content is taken again, byte for byte, whatever has packed it.  Other content (other settings, a
newer build tool) gets another upstream version, see `free_version`.  A part of the step `snapshot`.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count
from pathlib import Path

from lab.store.step import StepContext

BLOCK = 2**20
Content = Mapping[str, tuple[bytes, bool, str, str]]


def content(tarball: Path) -> Content:
    """Return what a tarball holds: type, whether it is executable, target and digest by name below the top directory."""
    with tarfile.open(tarball, "r:*", encoding="utf-8", errors="surrogateescape") as tar:
        return {member.name.partition("/")[2]: _entry(tar, member) for member in tar}


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[bytes, bool, str, str]:
    file = tar.extractfile(member) if member.isfile() else None
    digest = hashlib.sha256()
    while file and (block := file.read(BLOCK)):
        digest.update(block)
    return member.type, bool(member.mode & 0o100), member.linkname, digest.hexdigest()


def in_pool(context: StepContext, version: str) -> dict[str, Path]:
    """Return the orig tarballs of an upstream version by component ("": the main one)."""
    name = context.component_name
    found: dict[str, Path] = {}
    for place, digest in sorted(context.history.files.items()):
        stem, _, rest = Path(place).name.removeprefix(f"{name}_").partition(".orig")
        if stem == version and ".tar." in rest and not rest.endswith(".asc"):
            component = rest.partition(".tar.")[0].removeprefix("-")
            found[component] = context.archive.file(place, digest, context.run.work / "pool")
    return found


def free_version(context: StepContext, version: str, made: Mapping[str, Path]) -> tuple[str, dict[str, Path]]:
    """Return the first of VERSION, VERSION+2, VERSION+3 ... that the pool has not with other content.

    Also the tarballs of the pool to take in place of those made, by component; empty where the pool has none.
    """
    contents = cache(lambda component: content(made[component]))
    for candidate in _candidates(version):
        pooled = in_pool(context, candidate)
        if all(pooled[component].suffix == path.suffix and content(pooled[component]) == contents(component)
               for component, path in made.items() if component in pooled):  # fmt: skip
            return candidate, {component: path for component, path in pooled.items() if component in made}
    raise AssertionError("there is always another number")


def _candidates(version: str) -> Iterator[str]:
    yield version
    yield from (f"{version}+{number}" for number in count(2))
