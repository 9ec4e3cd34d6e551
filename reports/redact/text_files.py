"""Text files: which files are text, and UTF-16 as UTF-8."""

from __future__ import annotations

import codecs
from pathlib import Path

SAMPLE = 1 << 16
PRINTABLE = bytes({*range(0x20, 0x100), *b"\t\n\r\f\b\x1b"} - {0x7F})
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def is_text(path: Path, *, strict: bool = True) -> bool:
    """Return whether a file begins as UTF-8 without NUL; if not ``strict``, in any encoding that extends ASCII."""
    with path.open("rb") as stream:
        sample = stream.read(SAMPLE)
    if not strict:
        return not sample.translate(None, delete=PRINTABLE)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # the last character can be incomplete
    except UnicodeDecodeError:
        return False
    return b"\0" not in sample


def utf16_as_utf8(path: Path) -> bool:
    """Return whether a file is text in UTF-16, and write it again in UTF-8.

    UTF-16 without a byte order mark is recognised by the zero bytes of Latin letters.
    """
    raw = path.read_bytes()
    encoding = BYTE_ORDER_MARKS.get(raw[:2]) or _guessed(raw[:SAMPLE])
    if not encoding:
        return False
    path.write_text(raw.decode(encoding, "replace").lstrip("\ufeff"), encoding="utf-8", newline="")
    return True


def _guessed(sample: bytes) -> str:
    even, odd = sample[::2], sample[1::2]
    if len(odd) and odd.count(0) * 10 > len(odd) * 7 and even.count(0) * 10 < len(even):
        return "utf-16-le"
    if len(even) and even.count(0) * 10 > len(even) * 7 and odd.count(0) * 10 < len(odd):
        return "utf-16-be"
    return ""
