"""Short texts: one line of many, the beginning or the end of a long one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

CONTROLS: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|c)|\r")  # of a terminal


def plain(data: bytes) -> str:
    """Return what a console shows as text, without the controls of the terminal."""
    return CONTROLS.sub("", data.decode(errors="replace"))


def printable_line(text: str) -> str:
    """Return the words of a text of unknown origin on one line, with nothing that controls a terminal."""
    return one_line("".join(each if each.isprintable() else " " for each in CONTROLS.sub(" ", text)))


def one_line(text: str) -> str:
    """Return the words of a text on one line."""
    return " ".join(text.split())


def first_line(text: str) -> str:
    """Return the first line that is not blank, stripped; "" for a blank text."""
    return next((line for line in map(str.strip, text.splitlines()) if line), "")


def cut_short(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters; a longer one ends with an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def without_middle(line: str, most: int) -> str:
    """Return a line of at most ``most`` characters: what happened is at its beginning, the reason at its end."""
    return line if len(line) <= most else f"{line[: most // 2 - 5]} ... {line[-most // 2 :]}"


def first_of(names: Sequence[str], most: int = 3) -> str:
    """Return the first few different names, and how many more there are."""
    different = list(dict.fromkeys(names))
    more = f" and {len(different) - most} more" if len(different) > most else ""
    return ", ".join(different[:most]) + more


def plural(count: int, noun: str) -> str:
    """Return a number and the noun for so many."""
    return f"{count} {noun}{'s' * (count != 1)}"


def tail(text: str, lines: int) -> str:
    """Return the last lines of a text."""
    return "\n".join(text.rstrip("\n").split("\n")[-lines:])


def shortened(text: str, most: int = 300) -> str:
    """Return the first line that is not blank, of at most ``most`` characters; with a colon at its end, also the next one."""
    lines = (line for line in map(str.strip, text.splitlines()) if line)
    shown = next(lines, "")
    while shown.endswith(":") and len(shown) < most and (line := next(lines, "")):
        shown = f"{shown} {line}"  # "nested exception is:" says nothing alone
    return cut_short(shown, most)
