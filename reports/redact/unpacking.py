"""Compressed content within limits: what decompresses it, and what can be unpacked in total."""

from __future__ import annotations

import bz2
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any, Final

from lab.base import zstd

MOST_FILES: Final = 1000
MOST_BYTES: Final = 100_000_000
MOST_RATIO: Final = 100
LITTLE: Final = 1_000_000  # the limit of the smallest archives
MOST_MEMORY: Final = 64_000_000  # for xz
CHUNK: Final = 1 << 16
HEAD: Final = 512
GZIP: Final = b"\x1f\x8b"
BZIP2: Final = b"BZh"
XZ: Final = b"\xfd7zXZ\0"
ZSTD: Final = zstd.MAGIC
MAGIC: Final[dict[bytes, Callable[[], Any]]] = {
    GZIP: lambda: zlib.decompressobj(31),
    BZIP2: bz2.BZ2Decompressor,
    XZ: lambda: lzma.LZMADecompressor(memlimit=MOST_MEMORY),
    ZSTD: zstd.Decompressor,
}
AR: Final = b"!<arch>\n"
AR_HEADER: Final = 60
BROKEN: Final = (
    OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError,
    NotImplementedError, RuntimeError, MemoryError, OverflowError, struct.error,
)  # fmt: skip


class Unfit(Exception):
    """The reason why an artifact cannot be published, without its content."""


@dataclass
class Budget:
    """The numbers of bytes and files that an artifact can still unpack to, with all archives in it."""

    left: int
    files: int = MOST_FILES

    @classmethod
    def of(cls, path: Path) -> Budget:
        return cls(min(MOST_BYTES, max(LITTLE, path.stat().st_size * MOST_RATIO)))

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Unfit("unpacks to too many bytes")

    def count(self) -> None:
        self.files -= 1
        if self.files < 0:
            raise Unfit(f"has more than {MOST_FILES} files")


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
                raise Unfit("is truncated")
            data = self.decompressor.decompress(raw, len(buffer))
            self.tail = getattr(self.decompressor, "unconsumed_tail", b"")
        if not data and (self.decompressor.unused_data or self.stream.read(1)):
            raise Unfit("has data after its end")
        self.budget.spend(len(data))
        buffer[: len(data)] = data
        return len(data)


def unpacked(stream: IO[bytes], magic: bytes, budget: Budget) -> BufferedReader:
    """Return the content of a compressed file."""
    return BufferedReader(Unpacked(stream, MAGIC[magic](), budget), CHUNK)


def magic_of(head: bytes) -> bytes:
    """Return the magic number of a compressed file, b"" for any other file."""
    return next((magic for magic in MAGIC if head.startswith(magic)), b"")


def is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def gzip_texts(path: Path) -> list[str]:
    """Return the texts in the header of a gzip file (RFC 1952): the file's name, a comment, and extra fields."""
    with path.open("rb") as stream:
        head = stream.read(CHUNK)
    flags, at, texts = head[3], 10, []
    if flags & 4:
        size = int.from_bytes(head[10:12], "little")
        texts.append(head[12 : 12 + size])
        at = 12 + size
    for flag in (8, 16):
        if flags & flag:
            text, _, _ = head[at:].partition(b"\0")
            texts.append(text)
            at += len(text) + 1
    return [text.decode("utf-8", "replace") for text in texts]


def ar_members(stream: IO[bytes], budget: Budget) -> Iterator[tuple[bytes, bytes]]:
    """Yield the members of a common ar archive, as deb(5) has it: header and content.  Raises Unfit."""
    stream.seek(len(AR))
    while header := stream.read(AR_HEADER):
        if len(header) < AR_HEADER or not header.endswith(b"`\n") or header[:1] in b"/#":
            raise Unfit("contains an archive that cannot be opened")
        size = int(header[48:58])
        budget.count()
        budget.spend(size)
        content = stream.read(size)
        if len(content) < size or stream.read(size % 2).strip(b"\n"):
            raise Unfit("is truncated")
        yield header, content
