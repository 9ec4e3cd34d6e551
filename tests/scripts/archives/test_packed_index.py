"""The compressed form of an index."""

from __future__ import annotations

import gzip
import subprocess
import zlib

from scripts.archives import packed_index

PARTS = [b"Package: a\n" * 50, b"Package: b\n" * 50, b"Package: c\n"]


def test_any_reader_gets_the_whole_text():
    packed = packed_index.pack(PARTS)
    assert gzip.decompress(packed) == b"".join(PARTS)
    assert zlib.decompress(packed, wbits=31) == b"".join(PARTS)  # readers that stop after a gzip member
    got = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True)
    assert (got.stdout, got.stderr) == (b"".join(PARTS), b"")


def test_an_empty_index():
    assert gzip.decompress(packed_index.pack([b""])) == gzip.decompress(packed_index.pack([])) == b""


def test_the_file_depends_on_the_text_alone():
    before = packed_index.pack([PARTS[0], b"Package: of before\n", PARTS[2]])
    damaged = before[:40] + b"\xff\xff\xff" + before[43:]
    cut = [before[:length] for length in range(len(before))]
    for earlier in (b"", before, damaged, *cut, gzip.compress(b"".join(PARTS)), b"\x1f\x8b", packed_index.HEADER):
        assert packed_index.pack(PARTS, earlier) == packed_index.pack(PARTS)


def test_equal_parts_are_not_compressed_again(monkeypatch):
    before = packed_index.pack(PARTS)
    compressed = []
    monkeypatch.setattr(packed_index, "_deflated", lambda part: compressed.append(part) or b"")
    packed_index.pack([PARTS[0], b"Package: new\n", PARTS[2]], before)
    assert compressed == [b"Package: new\n"]
