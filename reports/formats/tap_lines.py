"""The lines of TAP: what each is, and what a description, a plan and a YAML block hold.

The rules are those of the TAP 14 specification, named by its sections, and are listed in `reports.formats.tap`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

NEWEST_VERSION = 14
INDENT = "    "
VERSION = re.compile(r"TAP version (\d{1,9})\s*")
PLAN = re.compile(r"1\.\.(\d{1,9})\s*(?:#\s*(.*))?")
# `ok` ends at a blank: "ok-ish" is no pass.  `not ok` may be followed by any mark: "not ok: x" is a failure.
POINT = re.compile(r"(?:ok(?!\S)|(not[ \t]+)ok\b)(?:\s+(\d+)(?!\S))?(?:\s+-(?=\s|$))?\s*(.*)")
BAIL = re.compile(r"Bail out!\s*(.*)", re.IGNORECASE)
PRAGMA = re.compile(r"pragma ([+-])([A-Za-z0-9_-]+)\s*")
SUBTEST = re.compile(r"# Subtest(?:: .*)?")
TAP = (POINT, PLAN, BAIL, VERSION)

HASH = re.compile(r"\\[\\#]|#")
DIRECTIVE = re.compile(r"#\s*(skip(?:ped|ping)?|todo)\b[\s:.,-]*(.*)", re.IGNORECASE)
DELIMITER = re.compile(r"#(?:\s|$)")
ESCAPED = re.compile(r"\\([#\\])")
SKIP_ALL = re.compile(r"skip\S*\s*", re.IGNORECASE)
BATS_TIME = re.compile(r"(.+) in (\d{1,9})(ms|sec)")  # bats --timing
NODE_TIME = re.compile(r"(?<!\S)#\s*(?:time=|duration_ms )(\d{1,9}(?:\.\d{1,9})?)(ms|s)?(?!\S)", re.IGNORECASE)


class Description(NamedTuple):
    """What follows the number of a test point."""

    name: str
    directive: Literal["", "skip", "todo"] = ""
    reason: str = ""
    seconds: float = 0.0


def unescape(text: str) -> str:
    r"""Return a text with ``\#`` and ``\\`` replaced; any other backslash is a literal one ("Escaping")."""
    return ESCAPED.sub(r"\1", text.strip())


def description(text: str) -> Description:
    """Return the parts of a description ("Description", "Directive", "Escaping"); times as bats and node-tap add."""
    seconds = 0.0
    if timed := NODE_TIME.search(text):
        seconds = float(timed[1]) / (1 if timed[2] == "s" else 1000)
        text = f"{text[: timed.start()]}{text[timed.end() :].lstrip()}"
    match = _directive(text)
    name = unescape(text[: match.start()] if match else text)
    if timed := BATS_TIME.fullmatch(name):
        name, seconds = timed[1], int(timed[2]) / (1000 if timed[3] == "ms" else 1)
    if not match:
        return Description(name, seconds=seconds)
    return Description(name, "todo" if match[1].lower() == "todo" else "skip", unescape(match[2]), seconds)


def _directive(text: str) -> re.Match[str] | None:
    """Return the directive behind the first delimiter, None when something else stands there or there is none."""
    escaped_to = -1
    for token in HASH.finditer(text):
        at = token.start()
        if token[0] == r"\\":
            escaped_to = token.end()
        elif token[0] == "#" and (at in {0, escaped_to} or text[at - 1].isspace()):
            match = DIRECTIVE.match(text, at)
            if match or DELIMITER.match(text, at):
                return match
    return None


def reason_to_skip(text: str | None) -> str:
    """Return the reason that a plan of no tests gives, without the directive that TAP 12 has there."""
    return unescape(SKIP_ALL.sub("", text, count=1) if SKIP_ALL.match(text or "") else text or "")  # type: ignore[arg-type]


def begins_subtest(line: str) -> bool:
    """Whether a line is indented by a multiple of four blanks and valid TAP ("Bare Subtests")."""
    inner = line.lstrip(" ")
    depth, rest = divmod(len(line) - len(inner), len(INDENT))
    return bool(depth) and not rest and any(each.fullmatch(inner) for each in (*TAP, SUBTEST, PRAGMA))


def subtest(lines: Sequence[str], at: int) -> tuple[int, list[str], list[str]]:
    """Return where a subtest ends, its lines without their indentation, and the other lines among them.

    It goes on to the next line of TAP of the document that it is in ("Subtest Parsing/Generating Rules", 9 and 12).
    """
    end, last = at, at
    while end < len(lines) and not any(each.fullmatch(lines[end]) for each in (*TAP, SUBTEST)):
        end += 1
        last = end if lines[end - 1].startswith(INDENT) else last
    inside = [line.removeprefix(INDENT) for line in lines[at:last] if line.startswith(INDENT) or not line.strip()]
    return last, inside, [line for line in lines[at:last] if line.strip() and not line.startswith(INDENT)]


def yaml_block(lines: Sequence[str], at: int) -> tuple[int, list[str]]:
    """Return where reading goes on behind the ``---`` of a YAML block, and the block's lines.

    It ends with ``...`` of the same indentation.  A block without its end is what is indented below ``---``, and
    reading goes on in it: no test point is taken for a part of it.
    """
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip(" "))]
    end = at + 1
    while end < len(lines) and (lines[end].startswith(indent) or not lines[end].strip()):
        if lines[end].rstrip() == f"{indent}...":
            return end + 1, [line.removeprefix(indent) for line in lines[at + 1 : end]]
        end += 1
    return at + 1, [line.removeprefix(indent) for line in lines[at + 1 : end]]
