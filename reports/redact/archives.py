"""The content of binary artifacts: archives are scanned within limits, and never unpacked to a disk."""

from __future__ import annotations

import bz2
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any, Final

from reports.bundle import Scan

MOST_FILES: Final = 1000
MOST_BYTES: Final = 100_000_000
MOST_RATIO: Final = 100
LITTLE: Final = 1_000_000  # the limit of the smallest archives
MOST_MEMORY: Final = 64_000_000  # for xz
CHUNK: Final = 1 << 16
MAGIC: Final[tuple[tuple[bytes, Callable[[], Any]], ...]] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=MOST_MEMORY)),
)
COMPRESSED: Final = tuple(magic for magic, _ in MAGIC)
PLAIN: Final = {0, 0o4, 0o10}  # stat(2): no type, a directory, a file
HEAD: Final = 512
PACKED: Final = (b"PK\3\4", b"PK\5\6", b"\x28\xb5\x2f\xfd", b"!<arch>\n", b"7z\xbc\xaf", b"Rar!", *COMPRESSED)
BROKEN: Final = (
    OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError,
    NotImplementedError, RuntimeError, MemoryError, OverflowError, struct.error,
)  # fmt: skip


class Unfit(Exception):
    """The reason why an artifact cannot be published, without its content."""


@dataclass
class Budget:
    """The number of bytes that an archive can still unpack to."""

    left: int

    @classmethod
    def of(cls, path: Path) -> Budget:
        return cls(min(MOST_BYTES, max(LITTLE, path.stat().st_size * MOST_RATIO)))

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Unfit("unpacks to too many bytes")


@dataclass
class NotPacked:
    """A decompressor for a tar without compression."""

    eof: bool = False
    unused_data: bytes = b""
    unconsumed_tail: bytes = b""

    def decompress(self, raw: bytes, most: int) -> bytes:
        self.unconsumed_tail = raw[most:]
        return raw[:most]


@dataclass
class Unpacked(RawIOBase):
    """The content of a compressed file, counted against a budget."""

    stream: IO[bytes]
    decompressor: Any
    budget: Budget
    tail: bytes = field(default=b"", repr=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = b""
        while not data and not self.decompressor.eof:
            wants = getattr(self.decompressor, "needs_input", not self.tail)
            raw = self.stream.read(CHUNK) if wants else self.tail
            if wants and not raw:
                if isinstance(self.decompressor, NotPacked):
                    break
                raise Unfit("is truncated")
            data = self.decompressor.decompress(raw, len(buffer))
            self.tail = getattr(self.decompressor, "unconsumed_tail", b"")
        if not data and (self.decompressor.unused_data or self.stream.read(1)):
            raise Unfit("has data after its end")
        self.budget.spend(len(data))
        buffer[: len(data)] = data
        return len(data)


def scan_content(path: Path, scan: Scan) -> None:
    """Scan the content of an archive, one level deep.  Raises Unfit for a file that cannot be scanned."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
            if head.startswith(b"PK"):
                _scan_zip(stream, Budget.of(path), scan)
                return
            if not _is_tar(head) and not head.startswith(COMPRESSED):
                raise Unfit("is neither text nor an archive that can be scanned")
            with _unpacked(stream, Budget.of(path)) as content:
                scan(content)
            with _unpacked(stream, Budget.of(path)) as content:
                head = content.peek(HEAD)
                if _is_tar(head):
                    _check_tar(content)
                else:
                    _check_not_packed(head)
    except BROKEN as error:
        raise Unfit(f"cannot be scanned ({type(error).__name__})") from None


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _unpacked(stream: IO[bytes], budget: Budget) -> BufferedReader:
    stream.seek(0)
    head = stream.read(HEAD)
    stream.seek(0)
    make = next((make for magic, make in MAGIC if head.startswith(magic)), NotPacked)
    return BufferedReader(Unpacked(stream, make(), budget), CHUNK)


def _check_tar(stream: IO[bytes]) -> None:
    files = 0
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            files += 1
            if files > MOST_FILES:
                raise Unfit(f"has more than {MOST_FILES} files")
            content = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if content:
                _check_not_packed(content.read(HEAD))
            elif not member.isdir():
                raise Unfit("contains links or devices")


def _scan_zip(stream: IO[bytes], budget: Budget, scan: Scan) -> None:
    stream.seek(0)
    scan(stream)
    with zipfile.ZipFile(stream) as archive:
        if len(archive.infolist()) > MOST_FILES:
            raise Unfit(f"has more than {MOST_FILES} files")
        for member in archive.infolist():
            budget.spend(member.file_size)  # zipfile reads at most this number of bytes
            if (member.external_attr >> 28) not in PLAIN:
                raise Unfit("contains links or devices")
            with archive.open(member) as content:
                _check_not_packed(content.read(HEAD))
            with archive.open(member) as content:
                scan(content)


def _check_not_packed(head: bytes) -> None:
    if head.startswith(PACKED) or _is_tar(head):
        raise Unfit("contains an archive")
