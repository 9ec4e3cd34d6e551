"""Archives: every text in them is redacted, and they are packed again if that changes anything.

An archive with nothing to hide is published unchanged.  Archives within archives are opened too.  A binary file is
scanned for known secrets and tokens.  What cannot be opened, or still contains a secret, is not published.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Final, Protocol, cast

from lab.base import zstd
from reports.bundle import Scan
from reports.redact.scan import Held
from reports.redact.text_files import is_text, utf16_as_utf8
from reports.redact.unpacking import (
    AR,
    BROKEN,
    BZIP2,
    GZIP,
    HEAD,
    ZSTD,
    Budget,
    Unfit,
    ar_members,
    gzip_texts,
    is_tar,
    magic_of,
    unpacked,
)

MOST_LEVELS: Final = 4  # a compressed tar has two
PLAIN: Final = {0, 0o4, 0o10}  # stat(2): no type, a directory, a file
ENCRYPTED: Final = 1
ZIP: Final = (b"PK\3\4", b"PK\5\6")
END_OF_ZIP: Final = b"PK\5\6"
END_SIZE: Final = 22
OTHER_ARCHIVES: Final = (b"7z\xbc\xaf", b"Rar!")
HIDES: Final = "contains something that must not be public"


class RedactFile(Protocol):
    """Write the redacted form of a text file; return the number of changes.  ``log``: within the limits of a log."""

    def __call__(self, source: Path, target: Path, *, log: bool) -> int: ...


class SupportsWrite(Protocol):
    """A stream that accepts bytes."""

    def write(self, data: bytes, /) -> int: ...


@dataclass(frozen=True)
class Filters:
    """The filters of a file's text, of a name, and the scan of the final bytes."""

    file: RedactFile
    name: Callable[[str], str]
    scan: Scan


@dataclass(frozen=True)
class Opened:
    """The published form of a file, and the number of changes; without a change it is the file itself."""

    path: Path
    changes: int = 0


def publish(source: Path, target: Path, filters: Filters) -> int:
    """Write the published form of an archive; return the number of changed lines and names.  Raises Unfit."""
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        try:
            opened = _Opener(filters, Budget.of(source), Path(directory)).archive(source, 1)
            if opened is None:
                raise Unfit("is neither text nor an archive that can be scanned")
            shutil.copyfile(opened.path, target)
            with target.open("rb") as stream:
                filters.scan(stream)
        except Held:
            raise Unfit(HIDES) from None
        except BROKEN as error:
            raise Unfit(f"cannot be scanned ({type(error).__name__})") from None
    return opened.changes


@dataclass(frozen=True)
class _Opener:
    """Opens the archives of one artifact; all of them together stay within the budget."""

    filters: Filters
    budget: Budget
    directory: Path

    def archive(self, source: Path, level: int) -> Opened | None:
        """Return the published form of an archive, None for any other file."""
        with source.open("rb") as stream:
            head = stream.read(HEAD)
        magic = magic_of(head)
        if not magic and not is_tar(head) and not head.startswith((*ZIP, AR)):
            return None
        if level > MOST_LEVELS:
            raise Unfit(f"contains archives in more than {MOST_LEVELS} levels")
        if magic:
            return self._compressed(source, magic, level)
        if head.startswith(AR):
            return self._ar(source, level)
        return self._tar(source, level) if is_tar(head) else self._zip(source, level)

    def _file(self, source: Path, level: int, *, log: bool = False) -> Opened:
        """Return the published form of a file in an archive."""
        if not is_text(source) and (opened := self.archive(source, level)):
            return opened
        with self._new() as target:
            if is_text(source, strict=False) or utf16_as_utf8(source):
                return (
                    Opened(target, changes)
                    if (changes := self.filters.file(source, target, log=log))
                    else Opened(source)
                )
        with source.open("rb") as stream:
            if stream.read(HEAD).startswith(OTHER_ARCHIVES):
                raise Unfit("contains an archive that cannot be opened")
            stream.seek(0)
            self.filters.scan(stream)
        return Opened(source)

    def _compressed(self, source: Path, magic: bytes, level: int) -> Opened:
        with self._new() as content, source.open("rb") as stream, content.open("wb") as out:
            shutil.copyfileobj(unpacked(stream, magic, self.budget), out)
        opened = self._file(content, level + 1, log=True)
        changes = opened.changes + (self._changes(*gzip_texts(source)) if magic == GZIP else 0)
        if not changes:
            return Opened(source)
        with (
            self._new() as target,
            opened.path.open("rb") as stream,
            target.open("wb") as out,
            _compressor(magic, out) as packed,
        ):
            shutil.copyfileobj(stream, packed)
        return Opened(target, changes)

    def _tar(self, source: Path, level: int) -> Opened:
        changes = 0
        with self._new() as target, tarfile.open(source, "r:") as old, tarfile.open(target, "w") as new:
            for member in old:
                self.budget.count()
                content = old.extractfile(member) if member.isreg() and not member.issparse() else None
                if not content and not member.isdir():
                    raise Unfit("contains links or devices")
                changes += self._changes(member.name, member.uname, member.gname, *member.pax_headers.values())
                made = tarfile.TarInfo(self.filters.name(member.name))
                made.type, made.mode, made.mtime = member.type, member.mode, member.mtime
                opened = self._member(content, level) if content else None
                changes += opened.changes if opened else 0
                _add(new, made, opened)
            end = old.offset
        with source.open("rb") as stream:
            stream.seek(end)
            if any(chunk.strip(b"\0") for chunk in iter(lambda: stream.read(1 << 16), b"")):
                raise Unfit("has data after its end")
        return Opened(target, changes) if changes else Opened(source)

    def _ar(self, source: Path, level: int) -> Opened:
        changes = 0
        with self._new() as target, source.open("rb") as old, target.open("wb") as new:
            new.write(AR)
            for header, content in ar_members(old, self.budget):
                if self._changes(header[:16].decode("ascii", "replace").rstrip(" /")):
                    raise Unfit(HIDES)  # a name of 16 bytes has no place for a mark
                opened = self._member(BytesIO(content), level)
                changes += opened.changes
                size = opened.path.stat().st_size
                new.write(header[:48] + b"%-10d" % size + header[58:] + opened.path.read_bytes() + b"\n" * (size % 2))
                opened.path.unlink()
        return Opened(target, changes) if changes else Opened(source)

    def _zip(self, source: Path, level: int) -> Opened:
        with self._new() as target, zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            changes = self._changes(old.comment.decode("utf-8", "replace"))
            for member in old.infolist():
                self.budget.count()
                self.budget.spend(member.file_size)  # zipfile reads at most this number of bytes
                if (member.external_attr >> 28) not in PLAIN:
                    raise Unfit("contains links or devices")
                changes += self._changes(member.filename, member.comment.decode("utf-8", "replace"))
                with old.open(member) as content:
                    opened = self._member(content, level)
                changes += opened.changes
                made = zipfile.ZipInfo(self.filters.name(member.filename), member.date_time)
                made.compress_type, made.external_attr = member.compress_type, member.external_attr
                with opened.path.open("rb") as stream, new.open(made, "w") as packed:
                    shutil.copyfileobj(stream, packed)
                opened.path.unlink()
        if _after_zip(source):
            raise Unfit("has data after its end")
        return Opened(target, changes) if changes else Opened(source)

    def _member(self, content: IO[bytes], level: int) -> Opened:
        with self._new() as path, path.open("wb") as out:
            shutil.copyfileobj(content, out)
        return self._file(path, level + 1)

    def _changes(self, *texts: str) -> int:
        return sum(self.filters.name(text) != text for text in texts)

    @contextmanager
    def _new(self) -> Iterator[Path]:
        """Give the path of a new file."""
        with tempfile.NamedTemporaryFile(dir=self.directory, delete=False) as made:
            yield Path(made.name)


def _compressor(magic: bytes, out: IO[bytes]) -> AbstractContextManager[SupportsWrite]:
    if magic == GZIP:
        return gzip.GzipFile("", "wb", 6, out, mtime=0)
    if magic == ZSTD:
        return cast("AbstractContextManager[SupportsWrite]", zstd.writer(out))
    return bz2.BZ2File(out, "wb") if magic == BZIP2 else lzma.LZMAFile(out, "wb")


def _add(archive: tarfile.TarFile, member: tarfile.TarInfo, opened: Opened | None) -> None:
    if opened is None:
        archive.addfile(member)
        return
    member.size = opened.path.stat().st_size
    with opened.path.open("rb") as stream:
        archive.addfile(member, stream)
    opened.path.unlink()


def _after_zip(path: Path) -> bool:
    """Return whether there is data after the end of a zip file and its comment."""
    raw = path.read_bytes()
    end = raw.rfind(END_OF_ZIP)
    return len(raw) > end + END_SIZE + int.from_bytes(raw[end + 20 : end + 22], "little")
