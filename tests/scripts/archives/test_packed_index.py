"""The compressed form of an index."""

from __future__ import annotations

import gzip
import subprocess
import zlib

from scripts.archives import packed_index
from scripts.archives.packed_index import Piece

PARTS = [Piece(data) for data in (b"Package: a\n" * 50, b"Package: b\n" * 50, b"Package: c\n")]
TEXT = b"".join(part.data for part in PARTS)


def test_any_reader_gets_the_whole_text():
    packed = packed_index.pack(PARTS)
    assert gzip.decompress(packed) == TEXT
    assert zlib.decompress(packed, wbits=31) == TEXT  # readers that stop after a gzip member
    got = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True)
    assert (got.stdout, got.stderr) == (TEXT, b"")


def test_an_empty_index():
    assert gzip.decompress(packed_index.pack([Piece(b"")])) == gzip.decompress(packed_index.pack([])) == b""


def test_the_file_depends_on_the_text_alone():
    old = packed_index.unpack(packed_index.pack([PARTS[0], Piece(b"Package: of before\n"), PARTS[2]]))
    assert packed_index.pack([old[0], PARTS[1], old[2]]) == packed_index.pack(PARTS)


def test_equal_parts_are_not_compressed_again():
    packed = packed_index.pack(PARTS)
    pieces = packed_index.unpack(packed)
    assert [piece.data for piece in pieces] == [part.data for part in PARTS]
    assert all(piece.packed in packed for piece in pieces)
    assert all(piece.packed for piece in pieces)


def test_a_file_of_another_program_has_no_parts():
    assert packed_index.unpack(gzip.compress(TEXT)) == packed_index.unpack(b"") == []
