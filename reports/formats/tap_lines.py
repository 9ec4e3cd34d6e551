"""The lines of TAP, and the parts of descriptions, plans and YAML blocks.

The rules are those of the TAP 14 specification, cited by section; `reports.formats.tap` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

NEWEST_VERSION = 14
INDENT = "    "
VERSION = re.compile(r"K?TAP version (\d{1,9})\s*")
PLAN = re.compile(r"1\.\.(\d{1,9})\s*(?:#\s*(.*))?")
# `ok` ends at a blank: "ok-ish" is no pass.  Any punctuation can follow `not ok`: "not ok: x" is a failure.
POINT = re.compile(r"(?:ok(?!\S)|(not[ \t]+)ok\b)(?:\s+(\d+)(?!\S))?(?:\s+-(?=\s|$))?\s*(.*)")
BAIL = re.compile(r"Bail out!\s*(.*)", re.IGNORECASE)
PRAGMA = re.compile(r"pragma ([+-])([A-Za-z0-9_-]+)\s*")
SUBTEST = re.compile(r"# Subtest(?:: .*)?")
TAP = (POINT, PLAN, BAIL, VERSION)
KERNEL = re.compile(r"(?:\s*#.*\n)*\s*KTAP version \d")
# A document of KTAP, or of kselftest's runner, which writes TAP 13 with the same rules.
OF_KERNEL = re.compile(r"^[ \t]*KTAP version \d|^(?:#|(?:not )?ok \d+) selftests: ", re.MULTILINE)
KERNEL_DIRECTIVE = re.compile(r"\s#\s+(?:(?P<word>XFAIL|TIMEOUT|ERROR)(?!\w)[\s:]*)?(?P<data>.*)")
STAMP = re.compile(r"^\d+\.\d+ \[\+\d+\.\d+\] ")  # of netdev's runner
TESTS_FAILED = re.compile(r"Tests failed:\s+[1-9]\d*")
HALF_INDENTED = re.compile(r"^  (?:KTAP version \d|(?:not )?ok\b|1\.\.\d)", re.MULTILINE)
OF_GLIB = re.compile(r"^# random seed: R02S[0-9a-f]{32}\s*$", re.MULTILINE)
GLIB_FAILURE = re.compile(r"^( *not ok \d+ /.*?) - (.+)", re.MULTILINE)

HASH = re.compile(r"\\[\\#]|#")
DIRECTIVE = re.compile(r"#\s*(skip(?:ped|ping)?|todo)\b[\s:.,-]*(.*)", re.IGNORECASE)
DELIMITER = re.compile(r"#(?:\s|$)")
ESCAPED = re.compile(r"\\([#\\])")
SKIP_ALL = re.compile(r"skip\S*\s*", re.IGNORECASE)
BATS_TIME = re.compile(r"(.+) in (\d{1,9})(ms|sec)")  # bats --timing
BATS_UNITS = ("ms", "sec")
NODE_TIME = re.compile(r"(?<!\S)#\s*(?:time=|duration_ms )(\d{1,9}(?:\.\d{1,9})?)(ms|s)?(?!\S)", re.IGNORECASE)


class Description(NamedTuple):
    """The text after the number of a test point."""

    name: str
    directive: Literal["", "skip", "todo", "xfail", "timeout", "error"] = ""
    reason: str = ""
    seconds: float = 0.0


def of_glib(text: str) -> str:
    """Return a document with the messages of failing tests in comments; GLib writes them after the path of the test."""
    return GLIB_FAILURE.sub(r"\1\n# \2", text) if OF_GLIB.search(text) else text


def of_kernel(text: str) -> str:
    """Return a document with subtests indented by four blanks; KTAP, the kernel's, indents them by two or four."""
    if not (KERNEL.match(text) and HALF_INDENTED.search(text)):
        return text
    return re.sub(r"^ +", lambda blanks: blanks[0] * 2, text, flags=re.MULTILINE)


def unescape(text: str) -> str:
    r"""Return a text with ``\#`` and ``\\`` replaced; any other backslash is literal ("Escaping")."""
    return ESCAPED.sub(r"\1", text.strip()) if "\\" in text else text.strip()


def kernel_description(text: str) -> Description:
    """Return the parts of a description of KTAP, which has no ``#``: a directive and diagnostic data follow it.

    The data, such as ``exit=1``, is no part of the name, which is the same whatever the result is.
    """
    found = description(text)
    match = KERNEL_DIRECTIVE.search(text)
    if found.directive or not match:
        return found
    word = match["word"]
    directive: Literal["", "xfail", "timeout", "error"] = (
        "xfail" if word == "XFAIL" else "timeout" if word == "TIMEOUT" else "error" if word else ""
    )
    return Description(text[: match.start()].strip(), directive, f"{word or ''} {match['data']}".strip(), found.seconds)


def commented_failures(comments: Sequence[str], *, good: bool) -> Iterator[Description]:
    """Yield the bad results in the comments of a kernel's test: those of the program that kselftest's runner ran.

    If one of the subtests fails, so should its parent ("Nested tests"); not every program's exit code says so.  Scripts of
    net count their failures in place of such results, which says nothing new of a test that is not ``good``.
    """
    for comment in comments:
        point = POINT.fullmatch(STAMP.sub("", comment, count=1))
        if point and point[1] and point[2]:
            found = kernel_description(point[3])
            if found.directive not in {"skip", "todo", "xfail"}:
                yield found._replace(name=found.name or f"test {point[2][:9]}")
        elif good and TESTS_FAILED.fullmatch(comment.strip()):
            yield Description("[counts]", reason=" ".join(comment.split()))


def description(text: str) -> Description:
    """Return the parts of a description ("Description", "Directive", "Escaping"); also the times that bats and node-tap add."""
    seconds = 0.0
    if "#" in text and (timed := NODE_TIME.search(text)):
        seconds = float(timed[1]) / (1 if timed[2] == "s" else 1000)
        text = f"{text[: timed.start()]}{text[timed.end() :].lstrip()}"
    match = _directive(text) if "#" in text else None
    name = unescape(text[: match.start()] if match else text)
    if name.endswith(BATS_UNITS) and (timed := BATS_TIME.fullmatch(name)):
        name, seconds = timed[1], int(timed[2]) / (1000 if timed[3] == "ms" else 1)
    if not match:
        return Description(name, seconds=seconds)
    return Description(name, "todo" if match[1].lower() == "todo" else "skip", unescape(match[2]), seconds)


def _directive(text: str) -> re.Match[str] | None:
    """Return the directive after the first delimiter, None if the text after it is no directive."""
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
    """Return the reason of a plan without tests, without the directive of TAP 12."""
    return unescape(SKIP_ALL.sub("", text, count=1) if SKIP_ALL.match(text or "") else text or "")  # type: ignore[arg-type]


def begins_subtest(line: str) -> bool:
    """Return whether a line is valid TAP, indented by a multiple of four blanks ("Bare Subtests")."""
    if not line.startswith(INDENT):
        return False
    inner = line.lstrip(" ")
    rest = (len(line) - len(inner)) % len(INDENT)
    return not rest and any(pattern.fullmatch(inner) for pattern in (*TAP, SUBTEST, PRAGMA))


def opened(lines: Sequence[str], at: int) -> str | None:
    """Return a line without the brace that opens a buffered subtest (of node-tap, vitest), None if it opens none."""
    line = lines[at].rstrip()
    if line[-2:] not in {"{", " {"} or at + 1 == len(lines) or not begins_subtest(lines[at + 1]):
        return None
    test = line.removesuffix("{").rstrip()
    return test if not line.removesuffix("{") or POINT.fullmatch(test) else None


def subtest(lines: Sequence[str], at: int) -> tuple[int, list[str], list[str]]:
    """Return the end of a subtest, its lines without their indentation, and the other lines among them.

    It ends at the next line of TAP of the enclosing document ("Subtest Parsing/Generating Rules", 9 and 12).
    """
    end, last = at, at
    while end < len(lines) and not any(pattern.fullmatch(lines[end]) for pattern in (*TAP, SUBTEST)):
        end += 1
        last = end if lines[end - 1].startswith(INDENT) else last
    inside = [line.removeprefix(INDENT) for line in lines[at:last] if line.startswith(INDENT) or not line.strip()]
    return last, inside, [line for line in lines[at:last] if line.strip() and not line.startswith(INDENT)]


def yaml_block(lines: Sequence[str], at: int) -> tuple[int, list[str]]:
    """Return the index of the line to read after the ``---`` of a YAML block, and the lines of the block.

    The block ends with ``...`` of the same indentation.  A block without an end has the indented lines below ``---``,
    and reading continues within it, so that it hides no test point.
    """
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip(" "))]
    end = at + 1
    while end < len(lines) and (lines[end].startswith(indent) or not lines[end].strip()):
        if lines[end].rstrip() == f"{indent}...":
            return end + 1, [line.removeprefix(indent) for line in lines[at + 1 : end]]
        end += 1
    return at + 1, [line.removeprefix(indent) for line in lines[at + 1 : end]]
