"""What ``api/json`` shows of an object: Jenkins' ``tree=`` language and ``depth=`` (Stapler's pruning rules).

``tree=jobs[name,builds[number]{0,5}],*[url]``: names, what of each, a range of a list (``{M,N}``, ``{M,}``,
``{,N}``, ``{M}``), ``*`` for every name that is not given.  Without it: all of the object, and of what it refers to
so many levels deep as ``depth`` says; below that only what marks an object (its name and URL).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"\s*(?:(?P<name>[^\[\]{},\s]+)|(?P<mark>[\[\],])|\{(?P<range>[^}]*)\})")


@dataclass(frozen=True)
class Bean:
    """An object that the API shows; a callable value is asked for when it is shown.

    ``brief``: the fields shown below the depth asked for (None: all).  ``hidden``: shown only to who names them.
    """

    cls: str
    fields: Mapping[str, Any]
    brief: tuple[str, ...] | None = None
    hidden: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Branch:
    """A part of a parsed ``tree=``: what is shown, and which elements when it is a list."""

    children: Mapping[str, Branch] = field(default_factory=dict)
    span: slice = field(default_factory=lambda: slice(None))

    def of(self, name: str) -> Branch | None:
        return self.children.get(name, self.children.get("*"))


def parse(text: str) -> Branch:
    """Parse a ``tree=``.  Raises ValueError."""
    tokens = _tokens(text)
    children = _children(tokens)
    if tokens:
        raise ValueError(f"unexpected {tokens[0][1]!r} in {text!r}")
    return Branch(children)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, end = [], 0
    while text[end:].strip():
        match = _TOKEN.match(text, end)
        if match is None:
            raise ValueError(f"unexpected {text[end:]!r} in {text!r}")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        end = match.end()
    return tokens


def _children(tokens: list[tuple[str, str]]) -> dict[str, Branch]:
    children = {}
    while tokens and tokens[0][0] == "name":
        name, below, span = tokens.pop(0)[1], {}, slice(None)
        if tokens[:1] == [("mark", "[")]:
            tokens.pop(0)
            below = _children(tokens)
            if tokens[:1] != [("mark", "]")]:
                raise ValueError(f"{name}[ is not closed")
            tokens.pop(0)
        if tokens[:1] and tokens[0][0] == "range":
            span = _span(tokens.pop(0)[1])
        children[name] = Branch(below, span)
        if tokens[:1] != [("mark", ",")]:
            break
        tokens.pop(0)
    return children


def _span(text: str) -> slice:
    start, comma, stop = text.partition(",")
    if not comma:
        return slice(int(start), int(start) + 1)
    return slice(int(start) if start else None, int(stop) if stop else None)


def shown(value: Any, branch: Branch | None = None, depth: int = 0) -> Any:
    """A value as JSON has it: what ``branch`` names of it, or all of it ``depth`` references deep."""
    if callable(value):
        value = value()
    if isinstance(value, (list, tuple)):
        chosen = value[branch.span] if branch else value
        return [shown(one, branch, depth) for one in chosen]
    if not isinstance(value, Bean):
        return value
    head = {"_class": value.cls} if value.cls else {}
    if branch is None:
        names = value.fields if depth >= 0 or value.brief is None else value.brief
        return head | {name: shown(value.fields[name], None, depth - 1) for name in names}
    every = {**value.fields, **value.hidden}
    return head | {name: shown(every[name], below) for name in every if (below := branch.of(name)) is not None}
