"""Bundles: a build and its files as one deterministic, compressed tar, named by its SHA-256.

::

    build.json       the `reports.model.Build`, cases included
    junit.xml        its cases as JUnit XML
    logs/NAME.log    UTF-8 text; the only control characters are line ends, tabs and the colours of `reports.redact.plain_text`
    files/NAME       published artifacts

The same content gives the same bytes: members are sorted, without owners and times.  A bundle can come from
elsewhere, so reading does not trust it: only regular members, with checked names, within limits.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Final, Protocol

from pydantic import ValidationError

from lab.base import files
from lab.base.errors import ConfigurationError
from reports.model import Build

MOST_MEMBERS: Final = 1000
MOST_BYTES: Final = 100_000_000  # of all members together
MOST_RATIO: Final = 100  # of unpacked to packed bytes, above the limit LITTLE
LITTLE: Final = 32_000_000
LEVEL: Final = 6
IN_MEMORY: Final = 8_000_000
NAME: Final = re.compile(r"build\.json|junit\.xml|(?:logs|files)(?:/[^/\x00-\x1f\x7f\\]+)+")
Content = Path | bytes


class Readable(Protocol):
    """An object that returns bytes, and none at its end."""

    def read(self, size: int, /) -> bytes: ...


Scan = Callable[[Readable], None]


class BadBundle(ConfigurationError):
    """The file is not a bundle, or not the one that its name identifies."""


def write(build: Build, contents: Mapping[str, Content], into: Path, *, scan: Scan | None = None) -> Path:
    """Write a bundle to ``INTO/SHA256.tar.gz``; the same build gives the same name.

    ``contents``: the files in addition to build.json, by their names in the bundle.  ``scan`` reads the finished tar,
    and raises if it must not be published: then no file remains.  Raises BadBundle for content that `read` refuses.
    """
    into.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=into, prefix=".bundle.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            _pack({"build.json": _json(build), **contents}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        for _ in _members(temporary):
            pass
        if scan:
            with gzip.open(temporary) as unpacked:
                scan(unpacked)
        temporary.chmod(0o644)
        path = into / f"{files.sha256(temporary)}.tar.gz"
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def shelf(store: Path, digest: str) -> Path:
    """Return the directory of a bundle with this SHA-256 in a store of bundles: ``STORE/AA``."""
    return store / digest[:2]


def _json(build: Build) -> bytes:
    return (build.model_dump_json(indent=1, by_alias=True) + "\n").encode()


def _pack(contents: Mapping[str, Content], stream: IO[bytes]) -> None:
    with (
        gzip.GzipFile("", "wb", LEVEL, stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(contents):
            content = contents[name]
            member = tarfile.TarInfo(name)
            member.mode = 0o644
            with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
                member.size = source.seek(0, os.SEEK_END)
                source.seek(0)
                tar.addfile(member, source)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and verified."""

    path: Path
    build: Build
    sizes: Mapping[str, int]
    """The size of each member except build.json, by name."""

    @property
    def digest(self) -> str:
        return self.path.name.partition(".")[0]

    def open(self, name: str) -> IO[bytes]:
        """Return the content of a member; the caller closes it.  Raises BadBundle if it is missing."""
        for member, content in _members(self.path):
            if member == name:
                copy = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the caller closes it
                shutil.copyfileobj(content, copy)
                copy.seek(0)
                return copy
        raise BadBundle(f"{self.path}: has no {name}; it has: {', '.join(self.sizes)}")


def read(path: Path) -> Bundle:
    """Read and verify a whole bundle.  Raises BadBundle, with one line, for any other file."""
    build, sizes = None, {}
    try:
        digest = files.sha256(path)
    except OSError as error:
        raise BadBundle(f"{path}: cannot be read: {error.strerror}") from None
    if path.name != f"{digest}.tar.gz":
        raise BadBundle(f"{path}: does not match its name: its SHA-256 is {digest}")
    for name, content in _members(path):
        if name == "build.json":
            build = _build(path, content.read())
        else:
            sizes[name] = content.seek(0, os.SEEK_END)
    if build is None:
        raise BadBundle(f"{path}: is not a bundle: it has no build.json")
    return Bundle(path, build, sizes)


def _build(path: Path, data: bytes) -> Build:
    try:
        return Build.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise BadBundle(f"{path}: build.json: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the name and content of each member.  Raises BadBundle at the first member that is not allowed."""
    seen = set[str]()
    with _unpacked(path) as unpacked:
        try:
            with tarfile.open(fileobj=unpacked, mode="r:") as tar:
                for member in tar:
                    problem = _problem(member, seen)
                    if problem:
                        raise BadBundle(f"{path}: {ascii(member.name)[:200]}: {problem}")
                    seen.add(member.name)
                    content = tar.extractfile(member)
                    assert content is not None  # noqa: S101 - a regular member has one
                    yield member.name, content
        except (tarfile.TarError, UnicodeError, ValueError, OverflowError) as error:
            raise BadBundle(f"{path}: is not a bundle: {error}") from None


def _problem(member: tarfile.TarInfo, seen: set[str]) -> str:
    """Return why a member is not allowed in a bundle, "" if it is."""
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or member.issparse():
        return "is not a plain file"
    if not NAME.fullmatch(member.name) or {".", ".."} & set(member.name.split("/")):
        return "is not an allowed name"
    if member.name in seen:
        return "is a duplicate"
    if len(seen) >= MOST_MEMBERS:
        return f"is beyond the limit of {MOST_MEMBERS} files"
    return ""


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Give the tar, unpacked within the limits."""
    packed, size = path.stat().st_size, 0
    most = min(MOST_BYTES, max(LITTLE, packed * MOST_RATIO))
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as unpacked:
        try:
            with gzip.open(path) as stream:
                while chunk := stream.read(1 << 18):
                    size += len(chunk)
                    if size > most:
                        raise BadBundle(f"{path}: unpacks to more than {most} bytes")
                    unpacked.write(chunk)
        except (OSError, EOFError, zlib.error) as error:
            raise BadBundle(f"{path}: is not a bundle: {error}") from None
        unpacked.seek(0)
        yield unpacked
