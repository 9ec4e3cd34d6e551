"""The compressed form of an index: one gzip file (RFC 1952), of which a change compresses only the part that it touches.

No part refers to an earlier one (zlib's full flush), so the next state's file takes over those that are the same.
The lengths of the parts stand in the extra field of the header, which other readers skip.  The file depends on the
parts only, not on the files before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

LEVEL = 9
# FEXTRA, no time, best compression, unknown system.
HEADER = b"\x1f\x8b\x08\x04\0\0\0\0\x02\xff"
FIELD = b"QA"
END = b"\x03\0"  # an empty last block
RAW = -zlib.MAX_WBITS


class Piece(NamedTuple):
    """A part of an index; ``packed``: its compressed form, empty for a part that has none yet."""

    data: bytes
    packed: bytes = b""


def pack(parts: Sequence[Piece]) -> bytes:
    """Return the gzip file of parts."""
    pieces = [part.packed or _deflated(part.data) for part in parts]
    lengths = struct.pack(f"<{len(pieces)}I", *map(len, pieces))
    extra = FIELD + struct.pack("<H", len(lengths)) + lengths
    plain = b"".join(part.data for part in parts)
    tail = struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
    return b"".join([HEADER, struct.pack("<H", len(extra)), extra, *pieces, END, tail])


def unpack(packed: bytes) -> list[Piece]:
    """Return the parts of a whole file of `pack`; none of a file of another program."""
    if not packed.startswith(HEADER) or packed[12:14] != FIELD:
        return []
    (size,) = struct.unpack_from("<H", packed, 14)
    place, found = 16 + size, []
    for length in struct.unpack_from(f"<{size // 4}I", packed, 16):
        piece = packed[place : place + length]
        found.append(Piece(zlib.decompressobj(RAW).decompress(piece), piece))
        place += length
    return found


def _deflated(part: bytes) -> bytes:
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW)
    return deflate.compress(part) + deflate.flush(zlib.Z_FULL_FLUSH)
