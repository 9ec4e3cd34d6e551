"""Shared parts of all formats: files read within limits, texts shortened to a size, and the error for unreadable files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from lab.base.text import tail as last_lines
from lab.results.cases import Case

MOST_BYTES = 64 * 2**20
HEAD_BYTES = 8 * 2**20
MOST_LINES = 500_000
HEAD_LINES = 100_000
LONGEST_LINE = 100_000
# Limits of the texts of a case, in characters.  Jenkins has lower limits, which `reports.junit` applies.
LONGEST_NAME = 500
LONGEST_MESSAGE = 4_000
LONGEST_EVIDENCE = 1_000_000
LONGEST_OUTPUT = 200_000
TAIL_LINES = 60
MARKER = "\n[... {:,} characters cut ...]\n"
MARKER_ROOM = 60
DIGEST = 12


class Unreadable(Exception):
    """A file cannot be read as its format; the message continues a sentence that begins with the file's name."""


def read(path: Path) -> bytes:
    """Read a file that makes sense only as a whole.  Raises Unreadable for a file that is too large."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise Unreadable(f"has {size:,} bytes; the limit is {MOST_BYTES:,}")
    return path.read_bytes()


def text(path: Path) -> str:
    """Read a file of lines as UTF-8; invalid bytes become hexadecimal escapes.

    The middle of a very large file, of very many lines, or of a very long line, is left out.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        data = stream.read(HEAD_BYTES if size > MOST_BYTES else MOST_BYTES)
        if size > MOST_BYTES:
            stream.seek(size - (MOST_BYTES - HEAD_BYTES))
            data += f"\n[... {size - MOST_BYTES:,} bytes left out ...]\n".encode() + stream.read(MOST_BYTES)
    if data.count(b"\n") > MOST_LINES:
        data = _fewer_lines(data)
    text = decoded(data)
    if len(data) <= LONGEST_LINE:
        return text
    return "\n".join(line if len(line) <= LONGEST_LINE else cut(line, LONGEST_LINE) for line in text.split("\n"))


def _fewer_lines(data: bytes) -> bytes:
    """Return the first and the last lines, with a line about those between."""
    begin, end = 0, len(data)
    for _ in range(HEAD_LINES):
        begin = data.index(b"\n", begin) + 1
    for _ in range(MOST_LINES - HEAD_LINES):
        end = data.rindex(b"\n", 0, end)
    left_out = data.count(b"\n", begin, end)
    return data[:begin] + f"[... {left_out:,} lines left out ...]".encode() + data[end:]


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def cut(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters: of a longer one, the beginning and the end with a marker between."""
    if len(text) <= most:
        return text
    half = (most - MARKER_ROOM) // 2
    return f"{text[:half]}{MARKER.format(len(text) - 2 * half)}{text[-half:]}"


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a text, as many as a case shows."""
    return last_lines(text, lines)


def cut_name(text: str, most: int) -> str:
    """Return a name of at most ``most`` characters: of a longer one, the beginning and a digest of the whole."""
    if len(text) <= most:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST]
    return f"{text[: most - DIGEST - 2]}…~{digest}"


BOUNDS: tuple[tuple[str, int, Callable[[str, int], str]], ...] = (
    ("suite", LONGEST_NAME, cut_name),
    ("classname", LONGEST_NAME, cut_name),
    ("name", LONGEST_NAME, cut_name),
    ("message", LONGEST_MESSAGE, cut),
    ("evidence", LONGEST_EVIDENCE, cut),
    ("output", LONGEST_OUTPUT, cut),
    ("errors", LONGEST_OUTPUT, cut),
)


def bounded(case: Case) -> Case:
    """Return a case with texts of a limited size, in valid Unicode: lone surrogates (of JSON, for example) are escaped."""
    texts = f"{case.suite}{case.classname}{case.name}{case.message}{case.evidence}{case.output}{case.errors}"
    if len(texts) <= LONGEST_NAME and texts.isascii():
        return case
    changed = {}
    for name, most, shorten in BOUNDS:
        value = getattr(case, name)
        if len(value) > most or not value.isascii():
            text = shorten(value, most).encode("utf-8", "backslashreplace").decode()
            if text != value:
                changed[name] = text
    return case.model_copy(update=changed) if changed else case
