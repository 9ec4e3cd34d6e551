"""The contents of archives, for tests that look for a text in them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator


def texts_in(content: bytes) -> Iterator[bytes]:
    """Yield the content of an archive, and of all archives in it."""
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield from texts_in(gzip.decompress(content))
    elif content.startswith(b"BZh"):
        yield from texts_in(bz2.decompress(content))
    elif content.startswith(b"\xfd7zXZ"):
        yield from texts_in(lzma.decompress(content))
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
