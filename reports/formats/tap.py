"""TAP 12 to 14, and what ``prove -v`` prints: plans, directives, subtests, diagnostics, YAML blocks, bail out.

A test below another has the other's name in its class.  A failing ``# TODO`` is a skipped case, an ``ok`` one an
unexpected success.  A plan that is not kept is a failing case; see https://testanything.org/tap-version-14-specification.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import texts
from reports.formats.texts import Unreadable

FORMAT = "tap"
MARK = re.compile(rb"^TAP version \d+|^1\.\.\d+\b|^(?:not )?ok \d+\b", re.MULTILINE)
ANY = re.compile(r"^(?:TAP version \d+|1\.\.\d+|(?:not )?ok\b|Bail out!)", re.MULTILINE)
FILE = re.compile(r"^(\S.*?) \.\.+ *$", re.MULTILINE)  # of prove
PLAN = re.compile(r"1\.\.(\d{1,9})(?:\s*#\s*skip\S*\s*(.*))?\s*", re.IGNORECASE)
POINT = re.compile(r"(not )?ok\b(?:\s+(\d+)(?!\S))?(?:\s+-(?=\s|$))?\s*(.*)")
DIRECTIVE = re.compile(r"(?:^|(?<=\s))#\s*(skip|todo)(?:\S*)\s*(.*)", re.IGNORECASE)
BAIL = re.compile(r"Bail out!\s*(.*)", re.IGNORECASE)
TIMED = re.compile(r"(.+) in (\d{1,9})(ms|sec)")  # of bats --timing
DURATION = re.compile(r"^\s*duration_ms: ([\d.]{1,20})\s*$", re.MULTILINE)
MESSAGE = re.compile(r"^\s*(?:message|error): *(?:[|>][+-]?\n\s*)?['\"]?(.+?)['\"]?\s*$", re.MULTILINE)
TIMEOUT = re.compile(r"\btimed out\b|timeout", re.IGNORECASE)
INDENT = "    "
DEEPEST = 20


@dataclass
class _Point:
    """A test point and what belongs to it."""

    good: bool
    name: str
    directive: str = ""
    reason: str = ""
    seconds: float = 0.0
    before: list[str] = field(default_factory=list)
    """What the test printed."""
    below: list[str] = field(default_factory=list)
    """Diagnostics."""
    yaml: list[str] = field(default_factory=list)


@dataclass
class _Document:
    """A document, or a subtest, as it is read."""

    classname: str
    points: list[_Point] = field(default_factory=list)
    children: list[Case] = field(default_factory=list)
    planned: int | None = None
    skipped: str | None = None
    bailed: str | None = None


def parse(path: Path) -> Iterator[Case]:
    text = texts.text(path)
    if text.strip() and not ANY.search(text):
        raise Unreadable("has not one line of TAP in it")
    parts = FILE.split(text)
    for name, body in zip([path.stem, *parts[1::2]], parts[0::2], strict=True):
        if body.strip():
            yield from _cases(_document(name, body.split("\n"), 0), outermost=True)


def _document(classname: str, lines: Sequence[str], depth: int) -> _Document:
    document, said, at, current = _Document(classname), list[str](), 0, None
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith(INDENT) and depth < DEEPEST and _begins_subtest(lines, at - 1):
            at, block = _block(lines, at - 1, INDENT)
            name = next((match[3] for line in lines[at : at + 1] if (match := POINT.fullmatch(line))), "subtest")
            child = _document(f"{classname}.{_plain(name)[0] or 'subtest'}", block, depth + 1)
            document.children += _cases(child, outermost=False)
            document.bailed = document.bailed if child.bailed is None else child.bailed
            current = None
        elif match := POINT.fullmatch(line):
            current = _point(match, len(document.points) + 1, said)
            document.points.append(current)
            said = []
        elif current and line.strip() == "---" and line.startswith(" "):
            at, current.yaml = _yaml(lines, at)
        elif match := PLAN.fullmatch(line):
            document.planned, current = int(match[1]), None
            document.skipped = (match[2] or "") if not int(match[1]) else None
        elif match := BAIL.fullmatch(line):
            document.bailed = match[1]
        elif line.startswith("#"):
            if current and not line.startswith("# Subtest:"):
                current.below.append(line.removeprefix("#").removeprefix(" "))
        elif line.strip() and not line.startswith(("TAP version ", "pragma ")):
            said.append(line)
            current = None
    return document


def _begins_subtest(lines: Sequence[str], at: int) -> bool:
    line = lines[at].removeprefix(INDENT)
    return any(pattern.fullmatch(line) for pattern in (POINT, PLAN, BAIL)) or line.startswith(("# Subtest", INDENT))


def _block(lines: Sequence[str], at: int, indent: str) -> tuple[int, list[str]]:
    """The indented lines from here on, without their indentation, and where they end."""
    end = at
    while end < len(lines) and (lines[end].startswith(indent) or not lines[end].strip()):
        end += 1
    return end, [line.removeprefix(indent) for line in lines[at:end]]


def _yaml(lines: Sequence[str], at: int) -> tuple[int, list[str]]:
    end = at
    while end < len(lines) and lines[end].strip() != "..." and lines[end].startswith(" "):
        end += 1
    return end + 1, [line.removeprefix("  ") for line in lines[at:end]]


def _plain(text: str) -> tuple[str, str, str]:
    """A description without its directive and escapes, the directive, and its reason."""
    match = DIRECTIVE.search(text)
    name = (text[: match.start()] if match else text).strip()
    return re.sub(r"\\([#\\])", r"\1", name), match[1].lower() if match else "", match[2].strip() if match else ""


def _point(match: re.Match[str], number: int, said: list[str]) -> _Point:
    name, directive, reason = _plain(match[3])
    seconds = 0.0
    if timed := TIMED.fullmatch(name):
        name, seconds = timed[1], int(timed[2]) / (1000 if timed[3] == "ms" else 1)
    return _Point(not match[1], name or f"test {match[2] or number}"[:30], directive, reason, seconds, said)


def _cases(document: _Document, *, outermost: bool) -> Iterator[Case]:
    yield from document.children
    for point in document.points:
        yield _case(document.classname, point)
    if document.skipped is not None and not document.points:
        yield Case(
            suite=FORMAT, classname=document.classname, name="all tests", outcome="skipped", message=document.skipped
        )
    if document.bailed is not None:
        message = f"Bail out! {document.bailed}".strip()
        if outermost:  # a subtest that bails out ends all
            yield Case(suite=FORMAT, classname=document.classname, name="[bail out]", outcome="error", message=message)
    elif broken := _broken_plan(document):
        # The checkers of jenkins-debian-glue count lines, not tests; all that they say is `not ok`, and that is enough.
        glue = document.planned is not None and not any(point.good for point in document.points)
        outcome: Outcome = "skipped" if glue and document.points else "failed"
        yield Case(suite=FORMAT, classname=document.classname, name="[plan]", outcome=outcome, message=broken)


def _broken_plan(document: _Document) -> str:
    count = len(document.points)
    if document.planned is None:
        return "there is no plan: it ended before it could say how many tests there are" if count else ""
    return f"{document.planned} planned, {count} run" if document.planned != count else ""


def _case(classname: str, point: _Point) -> Case:
    yaml = "\n".join(point.yaml)
    output, evidence = "\n".join(point.before), "\n".join(filter(None, ["\n".join(point.below), yaml]))
    outcome: Outcome = "passed" if point.good else "failed"
    nuance: Nuance = ""
    message = point.reason
    if point.directive == "skip":
        outcome = "skipped"
    elif point.directive == "todo":
        outcome, nuance = ("passed", "unexpected-success") if point.good else ("skipped", "todo")
    elif not point.good:
        found = MESSAGE.search(yaml)
        message = (found[1] if found else "") or texts.first_line(evidence)
        nuance = "timeout" if found and TIMEOUT.search(yaml) else ""
    if outcome == "passed":
        output, evidence = "\n".join(filter(None, [output, "\n".join(point.below)])), ""
    elif outcome == "skipped" and evidence == yaml and set(yaml.split(":")[:1]) == {"duration_ms"}:
        evidence = ""
    seconds = point.seconds or _milliseconds(yaml) / 1000
    return Case(
        suite=FORMAT, classname=classname, name=point.name, outcome=outcome, nuance=nuance,
        seconds=seconds, message=message, evidence=evidence, output=output,
    )  # fmt: skip


def _milliseconds(yaml: str) -> float:
    try:
        match = DURATION.search(yaml)
        return float(match[1]) if match else 0.0
    except ValueError:
        return 0.0
