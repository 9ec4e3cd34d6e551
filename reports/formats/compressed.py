"""Compressed results (``.gz``, ``.xz``), recognised by their content, whatever the name of the file."""

from __future__ import annotations

import gzip
import lzma
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reports.formats.excerpts import MOST_BYTES, Unreadable

SUFFIXES = {".gz", ".xz"}
GZIP, XZ = b"\x1f\x8b", b"\xfd7zXZ\0"
BLOCK = 1 << 20
MOST_MEMORY = 128 << 20  # the dictionary of xz -9 has 64 MiB


@contextmanager
def plain(path: Path) -> Iterator[Path]:
    """Yield the path of a file, or of its decompressed content.  Raises Unreadable for a damaged or a huge one."""
    with path.open("rb") as stream:
        begin = stream.read(len(XZ))
    if not begin.startswith((GZIP, XZ)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="qalab-") as directory:
        target = Path(directory) / (path.stem if path.suffix in SUFFIXES else path.name)
        _decompress(path, target, is_gzip=begin.startswith(GZIP))
        yield target


def _decompress(path: Path, target: Path, *, is_gzip: bool) -> None:
    size = 0
    try:
        with path.open("rb") as stream, target.open("wb") as out:
            for block in _gzip_blocks(stream) if is_gzip else _xz_blocks(stream):
                size += len(block)
                if size > MOST_BYTES:
                    raise Unreadable(f"has more than {MOST_BYTES:,} bytes when it is decompressed")
                out.write(block)
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Unreadable(f"cannot be decompressed: {' '.join(str(error).split())}") from None


def _gzip_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=stream) as opened:
        while block := opened.read(BLOCK):
            yield block


def _xz_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    reader = lzma.LZMADecompressor(memlimit=MOST_MEMORY)
    while not reader.eof:
        data = stream.read(BLOCK) if reader.needs_input else b""
        if reader.needs_input and not data:
            raise EOFError("it ends too early")
        yield reader.decompress(data, BLOCK)
