"""The files of a suite for apt: Release, its signature, its indices, lock lists, and files for users.

All suites share their indices.  The lock lists, NAME=VERSION of each binary package and of each source package, are
named in Release and kept as indices are.  An index stands once, in ``by-hash``, under its digest; a suite has hard links to its
indices, and links to ``by-hash`` for apt, which asks for an index by its digest (``Acquire-By-Hash``).  So an index can
be had until nothing names it any more, whichever tree a label has meanwhile.  There is no Valid-Until: a state does not
expire.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import IO

from debian.deb822 import Release

from lab.base import files
from lab.base.run import run
from lab.store.archive import BINARY_LOCK, SOURCE_LOCK
from lab.store.signing import SigningKey
from scripts.archives import packed_index
from scripts.archives.content import Content
from scripts.archives.packed_index import Piece

BY_HASH = Path("by-hash/SHA256")


@dataclass(frozen=True)
class IndexFile:
    """An index as Release names it; ``stored``: whether there is a file of it."""

    name: str
    digest: str
    size: int

    @property
    def stored(self) -> bool:
        return self.name.endswith(".gz")


@dataclass(frozen=True)
class Suite:
    """What a Release file says of a suite."""

    name: str
    origin: str
    architectures: tuple[str, ...]
    indices: tuple[IndexFile, ...]
    about: str

    def release(self, when: datetime) -> str:
        """Return the text of Release."""
        rows = "".join(f" {each.digest} {each.size:>12} {each.name}\n" for each in self.indices)
        return (
            f"Origin: {self.origin}\nLabel: {self.origin}\nSuite: {self.name}\nCodename: {self.name}\n"
            f"Date: {format_datetime(when).replace('+0000', 'UTC')}\n"
            f"Architectures: {' '.join(self.architectures)}\nComponents: main\nAcquire-By-Hash: yes\n"
            f"Description: {self.about}\nSHA256:\n{rows}"
        )


def written(root: Path, content: Content, before: Mapping[str, IndexFile]) -> tuple[IndexFile, ...]:
    """Write the indices of a content, those that differ from ``before`` (by name); return all of them."""
    found = []
    for name, pieces in sorted(_pieces(content).items()):
        data = b"".join(piece.data for piece in pieces)
        plain, packed = IndexFile(name, hashlib.sha256(data).hexdigest(), len(data)), f"{name}.gz"
        found.append(plain)
        last = before.get(packed)
        if last and before.get(name) == plain and (root / BY_HASH / last.digest).exists():
            found.append(last)
            continue
        small = packed_index.pack(pieces)
        found.append(IndexFile(packed, hashlib.sha256(small).hexdigest(), len(small)))
        target = root / BY_HASH / found[-1].digest
        if target.exists():
            os.utime(target)  # it has a new time to be asked for
        else:
            files.write_atomic(target, small)
    return tuple(found)


def _pieces(content: Content) -> dict[str, list[Piece]]:
    """Return the text of each index and each lock list, in pieces."""
    locks = {BINARY_LOCK: content.binaries, SOURCE_LOCK: content.versions}
    texts = {name: "".join(f"{package}={version}\n" for package, version in rows) for name, rows in locks.items()}
    found = {name: [part.piece for part in index.parts] for name, index in content.indices.items()}
    return found | {name: [Piece(text.encode())] for name, text in texts.items()}


def indices_of(release: Path) -> dict[str, IndexFile]:
    """Return the indices that a Release file names, by name; none without the file."""
    if not release.exists():
        return {}
    rows = Release(release.read_text()).get("SHA256", [])
    return {row["name"]: IndexFile(row["name"], row["sha256"], int(row["size"])) for row in rows}


def architectures_of(release: Path) -> tuple[str, ...]:
    """Return the architectures that a Release file names."""
    return tuple(Release(release.read_text())["Architectures"].split())


def date_after(now: datetime, release: Path) -> datetime:
    """Return the Date of the Release file that replaces another one: now, but later than that one.

    apt keeps the Release file that it has when a new one has an earlier Date, and says nothing.
    """
    text = Release(release.read_text(errors="replace")).get("Date", "") if release.exists() else ""
    try:
        before = parsedate_to_datetime(text)
    except ValueError:
        return now
    return max(now, before.replace(tzinfo=before.tzinfo or UTC) + timedelta(seconds=1))


def write_tree(root: Path, tree: Path, suite: Suite, others: Mapping[str, bytes]) -> None:
    """Write the files of a suite, without its signature, into a new directory; ``others``: further files by name."""
    tree.mkdir(parents=True)
    depth = len(tree.relative_to(root).parts)
    for index in suite.indices:
        if index.stored:
            target = tree / index.name
            link = target.parent / "by-hash"
            if not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                up = "../" * (depth + len(Path(index.name).parent.parts))
                link.symlink_to(f"{up}by-hash")
            target.hardlink_to(root / BY_HASH / index.digest)
    for name, data in others.items():
        files.write_atomic(tree / name, data)


def sign(tree: Path, release: str, key: SigningKey, log: IO[str], later_than: float = 0.0) -> None:
    """Write Release and InRelease.  The time of InRelease rises by a second at least: HTTP knows no finer ones."""
    signed = run(
        ["gpg", "--batch", "--local-user", key.fingerprint, "--output", "-", "--clearsign"],
        env=key.env, log=log, stdin=release.encode(), capture=True,
    ).stdout  # fmt: skip
    files.write_atomic(tree / "Release", release)
    files.write_atomic(tree / "InRelease", signed)
    path = tree / "InRelease"
    time = max(path.stat().st_mtime, int(later_than) + 1)
    os.utime(path, (time, time))


def for_users(suite: str, origin: str, url: str, key: str) -> dict[str, bytes]:
    """Return the files for apt on machines of users: a source with the key in it, and a pin above all versions."""
    signed_by = "".join(f" {line or '.'}\n" for line in key.strip().splitlines())
    return {
        f"{suite}.sources": (
            f"Types: deb deb-src\nURIs: {url}\nSuites: {suite}\nComponents: main\nSigned-By:\n{signed_by}"
        ).encode(),
        f"{suite}.pref": f"Package: *\nPin: release o={origin},a={suite}\nPin-Priority: 1001\n".encode(),
    }
