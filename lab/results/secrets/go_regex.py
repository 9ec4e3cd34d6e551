r"""Regular expressions of Go (RE2, https://github.com/google/re2/wiki/Syntax) in Python's syntax.

Python takes flags at the beginning of a group alone, has ``\Z`` for ``\z`` and no named classes.  Backtracking can take
exponential time where RE2 takes linear time: such an expression is refused.
"""

from __future__ import annotations

import re
import re._parser as parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

CLASSES: Final = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
TOKEN: Final = re.compile(
    r"(?P<quoted>\\Q(?P<text>.*?)(?:\\E|\Z))|\\x\{(?P<code>[0-9A-Fa-f]+)\}|(?P<escape>\\.)"
    r"|\[:(?P<named>\w+):\]|\(\?P?<(?P<group>\w+)>|\(\?(?P<flags>[a-zA-Z]*)(?P<off>-[a-zA-Z]+)?(?P<end>[:)])|(?P<other>.)",
    re.DOTALL,
)
ESCAPES: Final = frozenset("AbBdDsSwWafnrtvx0")
MANY: Final = 16


@dataclass
class _Groups:
    """The open groups of an expression, each with the flags that hold to its end."""

    flags: list[list[str]] = field(default_factory=lambda: [[]])

    def closed(self) -> str:
        return ")" * len(self.flags[-1])


def compiled(text: str, *, empty: bool = False) -> re.Pattern[str]:
    """Compile an expression of Go; ``empty``: it may match an empty text.

    Raises ValueError for one that Python cannot match, or not in bounded time.
    """
    translated = "".join(_translated(text))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            pattern = re.compile(translated, re.ASCII)
        except (re.error, FutureWarning, OverflowError) as error:
            message = f"not a regular expression: {error}"
            raise ValueError(message) from None
        if any(_explodes(body) for body in _repeated(parser.parse(translated))):
            message = "nested repetitions can take exponential time"
            raise ValueError(message)
    if not empty and pattern.search(""):
        message = "matches an empty text"
        raise ValueError(message)
    return pattern


def _translated(text: str) -> Iterator[str]:
    groups = _Groups()
    first: int | None = None  # where the characters of an open class begin: a bracket there does not close it
    for token in TOKEN.finditer(text):
        if first is not None:
            closes = token["other"] == "]" and token.start() > first
            yield "]" if closes else _in_class(token)
            first = None if closes else first
        elif token["other"] == "[":
            first = token.end() + text.startswith("^", token.end())
            yield "["
        elif token["other"] in {"(", ")", "|"} or token["group"] or token["end"]:
            yield _grouped(token, groups)
        else:
            yield _single(token)
    yield groups.closed()


def _grouped(token: re.Match[str], groups: _Groups) -> str:
    if token["end"] == ")":  # flags to the end of the group
        opener = f"(?{_flags(token)}:"
        groups.flags[-1].append(opener)
        return opener
    if token[0] == "|":
        return f"{groups.closed()}|{''.join(groups.flags[-1])}"
    if token[0] == ")":
        end = groups.closed() + ")"
        groups.flags.pop()
        if not groups.flags:
            message = "has a closing parenthesis too many"
            raise ValueError(message)
        return end
    groups.flags.append([])
    if token["group"]:
        return f"(?P<{token['group']}>"
    return f"(?{_flags(token)}:" if token["end"] else "("


def _flags(token: re.Match[str]) -> str:
    flags = (token["flags"] or "") + (token["off"] or "")
    if set(flags) - set("ims-"):
        message = f"has unknown flags: {flags}"
        raise ValueError(message)
    return flags


def _single(token: re.Match[str]) -> str:
    if token["quoted"]:
        return re.escape(token["text"])
    if token["code"]:
        return re.escape(chr(int(token["code"], 16)))
    if token["escape"] == r"\z":
        return r"\Z"
    if token["escape"] and token["escape"][1].isalnum() and token["escape"][1] not in ESCAPES:
        message = f"has an unknown escape: {token['escape']}"
        raise ValueError(message)
    return token[0]


def _in_class(token: re.Match[str]) -> str:
    if token["named"]:
        if token["named"] not in CLASSES:
            message = f"has an unknown class: {token[0]}"
            raise ValueError(message)
        return CLASSES[token["named"]]
    if token["other"] and token["other"] in "[&|~":  # they have no meaning yet in Python, and a warning
        return "\\" + token["other"]
    if token["group"] or token["end"]:  # the characters of an opening parenthesis
        return token[0].replace("|", "\\|")
    return _single(token)


def texts(pattern: re.Pattern[str], most: int = 64) -> frozenset[str]:
    """Return all texts that a simple expression matches, in lower case; none for another one, or for more than ``most``."""
    return frozenset(_joined(parser.parse(pattern.pattern, pattern.flags), most))


def _texts_of(item: Any, most: int) -> set[str]:
    name, value = item
    if name is parser.LITERAL:
        return {chr(value).lower()}
    if name is parser.IN and all(part[0] is parser.LITERAL for part in value):
        return {chr(part[1]).lower() for part in value}
    sequences: Any = (
        {parser.SUBPATTERN: [value[-1]], parser.BRANCH: value[1]}.get(name, ()) if isinstance(value, tuple) else ()
    )
    if name is parser.MAX_REPEAT and value[:2] == (0, 1):
        return {"", *_joined(value[2], most)}
    return {text for sequence in sequences for text in _joined(sequence, most)}


def _joined(sequence: Any, most: int) -> set[str]:
    found = {""}
    for item in sequence:
        found = {begin + end for begin in found for end in _texts_of(item, most)}
    return found if len(found) <= most else set()


def _repeated(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the bodies of the repetitions without a small bound, in a parsed expression."""
    for name, value in items:
        if name in {parser.MAX_REPEAT, parser.MIN_REPEAT} and value[1] >= MANY:
            yield value[2]
        yield from _repeated(_within(name, value))


def _within(name: Any, value: Any) -> Iterator[Any]:
    """Yield the items in a compound item."""
    if name in {parser.MAX_REPEAT, parser.MIN_REPEAT, parser.SUBPATTERN}:
        yield from value[-1]
    elif name is parser.BRANCH:
        for branch in value[1]:
            yield from branch


def _explodes(body: Any) -> bool:
    """Return whether a repeated body has a repetition, and nothing that always tells where the next one begins."""
    varying = [_characters(value[2]) for name, value in _items(body) if _varies(name, value)]
    if not varying:
        return False
    inner = frozenset[int]().union(*varying)
    fixed = [_characters([item]) for item in _mandatory(body)]
    return all(characters & inner for characters in fixed)


def _varies(name: Any, value: Any) -> bool:
    return name in {parser.MAX_REPEAT, parser.MIN_REPEAT} and value[0] != value[1] and value[1] > 1


def _items(items: Iterable[Any]) -> Iterator[Any]:
    for name, value in items:
        yield name, value
        yield from _items(_within(name, value))


def _mandatory(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the single characters that each match has."""
    for name, value in items:
        if name is parser.SUBPATTERN or (name in {parser.MAX_REPEAT, parser.MIN_REPEAT} and value[0] == value[1]):
            yield from _mandatory(value[-1])
        elif name in {parser.LITERAL, parser.IN, parser.NOT_LITERAL}:
            yield name, value


def _characters(items: Iterable[Any]) -> frozenset[int]:
    """Return the ASCII characters that the parts of an expression match, in both cases."""
    found: set[int] = set()
    for item in items:
        name, value = item
        if name in {parser.LITERAL, parser.NOT_LITERAL, parser.IN, parser.ANY}:
            found |= {code for code in range(128) if _matches(item, code)}
        else:
            found |= _characters(_within(name, value))
    return frozenset(found)


def _matches(item: Any, code: int) -> bool:
    name, value = item
    if name is parser.ANY:
        return code != ord("\n")
    if name in {parser.LITERAL, parser.NOT_LITERAL}:
        same = chr(value).lower() == chr(code).lower()
        return same if name is parser.LITERAL else code != value
    negated = value[0][0] is parser.NEGATE
    inside = any(_in_set(part, code) for part in value if part[0] is not parser.NEGATE)
    return inside is not negated


def _in_set(part: Any, code: int) -> bool:
    name, value = part
    if name is parser.RANGE:
        return any(value[0] <= ord(form) <= value[1] for form in {chr(code).lower(), chr(code).upper()})
    if name is parser.CATEGORY:
        return bool(re.match(CATEGORIES[str(value)], chr(code), re.ASCII))
    return chr(value).lower() == chr(code).lower()


CATEGORIES: Final = {
    f"CATEGORY_{no}{name}": f"\\{letter.upper() if no else letter}"
    for name, letter in (("DIGIT", "d"), ("SPACE", "s"), ("WORD", "w"))
    for no in ("", "NOT_")
}
