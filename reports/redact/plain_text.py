"""Plain text for publication: no control characters, no terminal sequences, a few colours.

Of the terminal sequences (ECMA-48), only ``ESC [ N ; ... m`` with these N stays: 0 (reset), 1 (bold), 30 to 37 and 90
to 97 (colours).  Removed are cursor moves, titles, links, Jenkins' console notes, marks that change the direction of
writing (UAX #9), characters without width, and NUL; a carriage return ends a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

KEPT = {0, 1, *range(30, 38), *range(90, 98)}
ENDS = {22, 39}  # not bold, default colour: replaced by 0
PALETTE = 16
OTHER_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\x1b") + b"\x7f"

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# A forbidden character with its sequence; the pattern begins with one set of characters, which is fast to find.
TRICKS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
    r"(?:(?<=\r)\r*\n?"
    # hudson.console.ConsoleNote: PREAMBLE_STR, base64, POSTAMBLE_STR; without an end, the rest of the line.
    r"|(?<=\x1b)(?:\[8mha:.*?(?:\x1b\[0m|$)"
    r"|\[[0-9;]{0,60}m"
    r"|\][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC: titles, links
    r"|[PX^_][^\x1b\x9c\n]*(?:\x1b\\|\x9c)?"  # DCS, SOS, PM, APC
    r"|\[[0-?]*[ -/]*[@-~]?"  # CSI, also truncated
    r"|[ -/]*[0-~]?)"
    r"|(?<=\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?<=[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)?"
    r"|(?<=\x9b)[0-?]*[ -/]*[@-~]?)?",
    re.MULTILINE,
)
CODES = re.compile(r"\x1b\[([0-9;]{0,60})m")
# Colours, and the erasure of a line that compilers write with them.
COMMON = re.compile(r"(\x1b\[(?:[0-9;]{0,60}m|K))")
SHORT = 64  # a sequence of colours; a longer one can be a whole line
# The same in UTF-8, by first byte.
ODD = tuple(
    map(
        re.compile,
        (
            rb"\xc2[\x80-\x9f]",
            rb"\xd8\x9c",
            rb"\xe2(?:\x80[\x8b\x8e\x8f\xa8-\xae]|\x81[\xa0-\xa9])",
            rb"\xef(?:\xbb\xbf|\xbf[\xb9-\xbb])",
        ),
    )
)
# A console note without its beginning; the base64 of its length begins with ////.
CUT_NOTE = re.compile(r"(?:\[?8m)?ha:////[A-Za-z0-9+/=]*(?:\x1b\[0m)?")
# The attachments plugin of Jenkins copies the file that a test's output names with this mark.
ATTACHMENT = re.compile(r"\[(?=\[ATTACHMENT\|)", re.IGNORECASE)


def clean(text: str) -> str:
    """Return text without forbidden sequences, and with normalised colours."""
    cleaned = TRICKS.sub(_replacement, text)
    return ATTACHMENT.sub("[ ", CUT_NOTE.sub("", cleaned) if "ha:////" in cleaned else cleaned)


def bare(text: str) -> str:
    """Return clean text without its colours."""
    return COLOURS.sub("", text) if "\x1b" in text else text


def decode(raw: bytes) -> str:
    """Return bytes of a log as clean text; invalid UTF-8 becomes U+FFFD."""
    text = raw.decode("utf-8", "replace")
    odd = len(raw.translate(None, OTHER_CONTROLS)) != len(raw) or (
        not raw.isascii() and any(pattern.search(raw) for pattern in ODD)
    )
    if odd or _has_mark(text):
        return clean(text)
    return _coloured(text) if b"\x1b" in raw else text


def _coloured(text: str) -> str:
    """Return a text without other control characters than ESC: most such texts have no other sequences than `COMMON`."""
    parts = COMMON.split(text)
    if "\x1b" in "".join(parts[::2]):
        return clean(text)
    parts[1::2] = map(_kept_of_short, parts[1::2])
    shown = "".join(parts)
    return clean(text) if _has_mark(shown) else shown


def _has_mark(text: str) -> bool:
    """Return whether a text can have a mark of Jenkins."""
    return "[[" in text or "ha:////" in text


def _replacement(match: re.Match[str]) -> str:
    sequence = match[0]
    return _kept_of_short(sequence) if len(sequence) <= SHORT else _kept(sequence)


def _kept(sequence: str) -> str:
    """Return what stays of a sequence: a line end, a mark of a character that is none, or known colours."""
    if sequence[0] == "\r":
        return "\n"
    if "\ud800" <= sequence <= "\udfff":
        return "\ufffd"
    codes = CODES.fullmatch(sequence)
    return _colours(codes[1]) if codes else ""


_kept_of_short = lru_cache(1 << 10)(_kept)


def _colours(codes: str) -> str:
    kept = ";".join(map(str, _known(iter(codes.split(";")))))
    return f"\x1b[{kept}m" if kept else ""


def _known(codes: Iterator[str]) -> Iterator[int]:
    for text in codes:
        code = int(text or 0)
        if code in {38, 48}:  # a palette colour (5;N) or any colour (2;R;G;B), see ISO 8613-6
            numbers = [next(codes, "") for _ in range(1 if next(codes, "") == "5" else 3)]
            if code == 38 and len(numbers) == 1 and int(numbers[0] or 0) < PALETTE:  # noqa: PLR2004 - the foreground
                index = int(numbers[0] or 0)
                yield index + 30 if index < PALETTE // 2 else index - PALETTE // 2 + 90
        elif code in KEPT:
            yield code
        elif code in ENDS:
            yield 0
