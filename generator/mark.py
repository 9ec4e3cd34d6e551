"""The ownership mark (see `lab.results.ownership_mark`) in a config.xml.

The mark is inserted into the text of the description; the rest of the XML stays byte for byte.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from generator.canonical import decoded, digest, parse
from lab.base.errors import InfrastructureError
from lab.results.ownership_mark import MARKS, Mark, of_description

# MARKS in a config.xml's text, with every way to escape it.
_MARKS_ESCAPED = re.compile(
    MARKS.pattern.replace("<", "(?:&lt;|&#60;|&#x3[cC];)").replace(">", "(?:>|&gt;|&#62;|&#x3[eE];)")
)
# The parts of well-formed XML without a DOCTYPE, except texts.
_TOKEN = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    r"|<(?P<end>/?)(?P<name>[^\s/>]+)(?:[^>\"']|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL,
)
# The first fields that Jenkins saves: a job's run-time actions, a view's name.  A description follows them.
_BEFORE_DESCRIPTION = ("actions", "name")


def read(text: str | bytes) -> Mark | None:
    """Return the mark at the end of a description; the argument is the description or a whole config.xml."""
    description = decoded(text)
    found = of_description(description)
    if not found and description.lstrip().startswith("<"):
        found = of_description(_described(description))
    return found


def _described(xml: str) -> str:
    try:
        return parse(xml).findtext("description") or ""
    except InfrastructureError:  # a description that starts with a tag
        return ""


def write(xml: str | bytes, mark: Mark) -> str:
    """Return the config.xml with the mark in its description, which replaces an older mark or Jenkins Job Builder's.

    Raises InfrastructureError for text that is not XML, or if the mark would change another part.
    """
    text, same = decoded(xml), digest(xml)
    marked = _ending_with(text, escape(str(mark)))
    if read(marked) != mark or digest(marked) != same:
        raise InfrastructureError(f"config.xml: cannot contain the mark {mark}")
    return marked


def without(xml: str | bytes) -> str:
    """Return the config.xml without a mark, including Jenkins Job Builder's.  Raises InfrastructureError."""
    parse(xml)
    return _ending_with(decoded(xml), "")


def _ending_with(xml: str, mark: str) -> str:
    """Return well-formed XML in which ``mark``, escaped, replaces the marks at the end of the root's description."""
    root, children = _outline(xml)
    if "description" in children:
        opening, closing = children["description"]
        said = "" if opening is closing else _MARKS_ESCAPED.sub("", xml[opening.end() : closing.start()])
        if not mark and opening is closing:
            return xml
        return f"{xml[: opening.start()]}{_start(opening)}{said}{mark}</description>{xml[closing.end() :]}"
    if not mark:
        return xml
    element = f"<description>{mark}</description>"
    if root[0].endswith("/>"):
        return f"{xml[: root.start()]}{_start(root)}{element}</{root['name']}>{xml[root.end() :]}"
    before = next((children[name][1] for name in _BEFORE_DESCRIPTION if name in children), root)
    rest = xml[before.end() :]
    layout = rest[: len(rest) - len(rest.lstrip())]
    return f"{xml[: before.end()]}{layout}{element}{rest}"


def _start(tag: re.Match[str]) -> str:
    """Return a start tag, also for an empty element."""
    return f"{tag[0][:-2].rstrip()}>" if tag[0].endswith("/>") else tag[0]


def _outline(xml: str) -> tuple[re.Match[str], dict[str, tuple[re.Match[str], re.Match[str]]]]:
    """Return the root's start tag, and start and end tag of its first child of each name (equal for ``<NAME/>``)."""
    tags = [token for token in _TOKEN.finditer(xml) if token["name"]]
    children: dict[str, tuple[re.Match[str], re.Match[str]]] = {}
    within: list[re.Match[str]] = []
    for tag in tags:
        if not tag["end"]:
            within.append(tag)
        if tag["end"] or tag[0].endswith("/>"):
            opening = within.pop()
            if len(within) == 1:
                children.setdefault(opening["name"], (opening, tag))
    return tags[0], children
