"""Compressed results (``.gz``, ``.xz``, ``.zst``), recognised by their content, whatever the name of the file."""

from __future__ import annotations

import gzip
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from lab.base import zstd
from reports.formats.excerpts import MOST_BYTES, Unreadable

SUFFIXES = {".gz", ".xz", ".zst"}
GZIP, XZ = b"\x1f\x8b", b"\xfd7zXZ\0"
BLOCK = 1 << 20
MOST_MEMORY = 128 << 20  # the dictionary of xz -9 has 64 MiB


@contextmanager
def plain(path: Path) -> Iterator[Path]:
    """Yield the path of a file, or of its decompressed content.  Raises Unreadable for a damaged or a huge one."""
    with path.open("rb") as stream:
        begin = stream.read(len(XZ))
    if not begin.startswith((GZIP, XZ, zstd.MAGIC)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="qalab-") as directory:
        target = Path(directory) / (path.stem if path.suffix in SUFFIXES else path.name)
        _decompress(path, target, begin)
        yield target


def _decompress(path: Path, target: Path, begin: bytes) -> None:
    size = 0
    try:
        with path.open("rb") as stream, target.open("wb") as out:
            for block in _blocks(stream, begin):
                size += len(block)
                if size > MOST_BYTES:
                    raise Unreadable(f"has more than {MOST_BYTES:,} bytes when it is decompressed")
                out.write(block)
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, zstd.DamagedFrame) as error:
        raise Unreadable(f"cannot be decompressed: {' '.join(str(error).split())}") from None


def _blocks(stream: IO[bytes], begin: bytes) -> Iterator[bytes]:
    if begin.startswith(GZIP):
        return _gzip_blocks(stream)
    is_xz = begin.startswith(XZ)
    return _frames(stream, partial(lzma.LZMADecompressor, memlimit=MOST_MEMORY) if is_xz else zstd.Decompressor)


def _gzip_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=stream) as opened:
        while block := opened.read(BLOCK):
            yield block


def _frames(stream: IO[bytes], new: Callable[[], lzma.LZMADecompressor | zstd.Decompressor]) -> Iterator[bytes]:
    """Yield the content of all frames of a file; xz can have zero bytes after a frame."""
    data = stream.read(BLOCK)
    while data:
        reader = new()
        while not reader.eof:
            yield reader.decompress(data, BLOCK)
            data = stream.read(BLOCK) if reader.needs_input and not reader.eof else b""
            if not (data or reader.eof) and reader.needs_input:
                raise EOFError("it ends too early")
        data = (reader.unused_data or stream.read(BLOCK)).lstrip(b"\0")
