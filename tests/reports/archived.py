"""The contents of archives, for tests that look for a text in them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator

from lab.base import zstd

DECOMPRESS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    zstd.MAGIC: lambda content: zstd.Decompressor().decompress(content),
}


def texts_in(content: bytes) -> Iterator[bytes]:
    """Yield the content of an archive, and of all archives in it."""
    yield content
    for magic, decompress in DECOMPRESS.items():
        if content.startswith(magic):
            yield from texts_in(decompress(content))
            return
    if content.startswith(b"!<arch>\n"):
        yield from _members(content)
    elif content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from texts_in(archive.read(name))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for one in tar:
                yield one.name.encode()
                if opened := tar.extractfile(one):
                    yield from texts_in(opened.read())


def _members(content: bytes) -> Iterator[bytes]:
    """Yield the names in an ar archive, and the contents of its members."""
    at = 8
    while header := content[at : at + 60]:
        size = int(header[48:58])
        yield header[:16]
        yield from texts_in(content[at + 60 : at + 60 + size])
        at += 60 + size + size % 2
