"""The compressed form of an index: one gzip file (RFC 1952), of which a change compresses only the part that it touches.

No part refers to an earlier one (zlib's full flush), so the next state's file takes over those that are the same.
The lengths of the parts stand in the extra field of the header, which other readers skip.  The file depends on the
text only, not on the files before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

LEVEL = 9
# FEXTRA, no time, best compression, unknown system.
HEADER = b"\x1f\x8b\x08\x04\0\0\0\0\x02\xff"
FIELD = b"QA"
FLUSH = b"\0\0\xff\xff"  # the end of a part
END = b"\x03\0"  # an empty last block
RAW = -zlib.MAX_WBITS


def pack(parts: Sequence[bytes], before: bytes = b"") -> bytes:
    """Return the gzip file of parts; ``before``: one with some of the same parts."""
    known = _parts_of(before)
    pieces = [known.get(part) or _deflated(part) for part in parts]
    lengths = struct.pack(f"<{len(pieces)}I", *map(len, pieces))
    extra = FIELD + struct.pack("<H", len(lengths)) + lengths
    plain = b"".join(parts)
    tail = struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
    return b"".join([HEADER, struct.pack("<H", len(extra)), extra, *pieces, END, tail])


def _deflated(part: bytes) -> bytes:
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW)
    return deflate.compress(part) + deflate.flush(zlib.Z_FULL_FLUSH)


def _parts_of(packed: bytes) -> dict[bytes, bytes]:
    """Return the parts of a file with their compressed form; none for a file of another program, or a damaged one."""
    found: dict[bytes, bytes] = {}
    if not packed.startswith(HEADER) or packed[12:14] != FIELD:
        return found
    try:
        (size,) = struct.unpack_from("<H", packed, 14)
        place = 16 + size
        for length in struct.unpack_from(f"<{size // 4}I", packed, 16):
            piece = packed[place : place + length]
            if len(piece) != length or not piece.endswith(FLUSH):  # cut: its text can be whole all the same
                return {}
            found[zlib.decompressobj(RAW).decompress(piece)] = piece
            place += length
    except (zlib.error, struct.error):
        return {}
    return found
