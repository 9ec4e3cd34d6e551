"""TAP 12 to 14, and what ``prove -v`` prints.

The rules are those of https://testanything.org/tap-version-14-specification.html:

- Version: TAP up to 14.  A newer one is read, and is a failing case: its results may mean something else.
- Plan: there is one, first or last, and it is kept: as many test points as it says, none of its numbers missing,
  doubled or out of its range.  ``1..0`` alone is a skipped case.  Any other plan, or none, is a failing case.
- Test points: ``ok`` and ``not ok`` in lower case at the beginning of a line.  Their order is of no matter.
- Directives: behind the first unescaped ``#`` that stands alone, in any case.  ``# SKIP`` is a skipped case, also of
  a failing test.  ``# TODO`` is a skipped case when it fails and an unexpected success when it does not.  Stricter
  than the specification: the word ends there (``skipped``, ``skipping`` and marks apart), so ``# todolist`` is none.
- YAML diagnostics: between ``---`` and ``...`` of one indentation.  A block without its end takes no test with it.
- Comments and anything else: output and evidence of the test that they stand at; no failure, but with
  ``pragma +strict``.  Other pragmas mean nothing here.
- ``Bail out!`` in any case and at any depth: an error, and the end of all.
- Subtests: indented by four blanks.  Each of their tests is a case with the subtest's name in its class, and their
  plans are asked for too.  What is nested deeper than is read is a failing case.

The reader is qalab's own: tap.py 3.2 drops subtests, broken plans, plans that skip all tests, and what follows "Bail out!".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts, prove, tap_lines
from reports.formats.excerpts import Unreadable
from reports.formats.tap_lines import Description

FORMAT = "tap"
MARK = re.compile(rb"^TAP version \d+|^1\.\.\d+\b|^(?:not )?ok \d+\b", re.MULTILINE)
ANY = re.compile(r"^(?:TAP version \d+|1\.\.\d+|(?:not )?ok\b|Bail out!)", re.MULTILINE)
SPLIT_NOT = re.compile(r"^( *)not[ \t]*\n *(?=ok\b)", re.MULTILINE)  # of VMS; Perl's TAP::Parser joins them too
DURATION = re.compile(r"^\s*duration_ms: (\d{1,15}(?:\.\d{1,15})?)\s*$", re.MULTILINE)
MESSAGE = re.compile(r"^\s*(?:message|error): *(?:[|>][+-]?\n\s*)?['\"]?(.+?)['\"]?\s*$", re.MULTILINE)
TIMEOUT = re.compile(r"\btimed out\b|timeout", re.IGNORECASE)
NUMBER_DIGITS = 9
DEEPEST = 20
FEW = 5


@dataclass
class _Point:
    """A test point and what belongs to it."""

    number: int
    good: bool
    said: Description
    before: list[str]
    """What the test printed."""
    below: list[str] = field(default_factory=list)
    """Diagnostics."""
    yaml: list[str] = field(default_factory=list)


@dataclass
class _Document:
    """A document, or a subtest, as it is read."""

    classname: str
    depth: int = 0
    strict: bool = False
    points: list[_Point] = field(default_factory=list)
    children: list[Case] = field(default_factory=list)
    plans: list[tuple[int, int, str]] = field(default_factory=list)
    """How many tests, behind how many points the plan stands, its reason."""
    bailed: str | None = None
    faults: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    """What was printed since the last point."""
    current: _Point | None = None
    """The point that diagnostics belong to."""


def parse(path: Path) -> Iterator[Case]:
    text = excerpts.text(path).removeprefix("\ufeff").replace("\r", "\n")
    if text.strip() and not ANY.search(text):
        raise Unreadable("has not one line of TAP in it")
    cases = [
        case
        for name, body in prove.documents(SPLIT_NOT.sub(r"\1not ", text))
        for case in _outermost(name, path.stem, body)
    ]
    yield from cases
    bad = any(case.outcome in {"failed", "error"} for case in cases)
    if not bad and (verdict := _verdict(text)):
        yield _told(path.stem, "[prove]", "failed", verdict)


def _verdict(text: str) -> str:
    return prove.verdict(text) if next(prove.documents(text))[0] else ""


def _outermost(name: str, stem: str, body: str) -> Iterator[Case]:
    """Yield the cases of a document; one of prove's has a name, and must have a test."""
    document = _read(_Document(name or stem), body.split("\n"))
    cases = list(_cases(document))
    if document.bailed is not None:  # a subtest that bails out ends all
        cases.append(_told(document.classname, "[bail out]", "error", f"Bail out! {document.bailed}".strip()))
    yield from cases
    if name and not cases:
        yield _told(name, "[plan]", "failed", prove.complaint(body) or "there is no plan and no test")
    elif name and (said := prove.complaint(body)) and all(case.outcome in {"passed", "skipped"} for case in cases):
        yield _told(name, "[exit]", "failed", said)


def _read(document: _Document, lines: Sequence[str]) -> _Document:
    at = 0
    while at < len(lines):
        line = lines[at]
        if tap_lines.begins_subtest(line):
            at = _read_subtest(document, lines, at)
        elif document.current and line.startswith(" ") and line.strip() == "---":
            at, document.current.yaml = tap_lines.yaml_block(lines, at)
            if lines[at - 1].strip() == "---":  # without an end
                document.current = None
        else:
            _read_line(document, line)
            at += 1
    return document


def _read_line(document: _Document, line: str) -> None:
    if match := tap_lines.POINT.fullmatch(line):
        document.current = _point(match, document)
        document.points.append(document.current)
        document.output = []
    elif match := tap_lines.PLAN.fullmatch(line):
        document.plans.append((int(match[1]), len(document.points), tap_lines.reason_to_skip(match[2])))
        document.current = None
    elif match := tap_lines.BAIL.fullmatch(line):
        document.bailed = document.bailed or tap_lines.unescape(match[1])
    elif match := tap_lines.PRAGMA.fullmatch(line):
        document.strict = match[1] == "+" if match[2] == "strict" else document.strict
    elif (match := tap_lines.VERSION.fullmatch(line)) and not (document.strict and not document.depth):
        if int(match[1]) > tap_lines.NEWEST_VERSION:
            document.faults.append(f"{line.strip()} is not known; the newest known is {tap_lines.NEWEST_VERSION}")
    elif line.lstrip(" \t").startswith("#"):
        if document.current and not tap_lines.SUBTEST.fullmatch(line):
            document.current.below.append(line.lstrip(" \t").removeprefix("#").removeprefix(" "))
    elif line.strip():
        _read_output(document, [line])


def _read_output(document: _Document, lines: list[str]) -> None:
    """Read lines that are not TAP."""
    document.output += lines
    document.current = None
    if document.strict:
        document.faults += [f"pragma +strict, and a line is not TAP: {line.strip()}" for line in lines]


def _read_subtest(document: _Document, lines: Sequence[str], at: int) -> int:
    """Read a subtest; where reading goes on."""
    end, inside, others = tap_lines.subtest(lines, at)
    _read_output(document, others)
    document.current = None
    if document.depth == DEEPEST:
        document.faults.append(f"subtests are nested more than {DEEPEST} deep: those below are not read")
        return end
    closing = tap_lines.POINT.fullmatch(lines[end]) if end < len(lines) else None
    name = tap_lines.description(closing[3]).name if closing else ""
    child = _Document(f"{document.classname}.{name or 'subtest'}", document.depth + 1, document.strict)
    document.children += _cases(_read(child, inside))
    document.bailed = child.bailed if document.bailed is None else document.bailed
    return end


def _point(match: re.Match[str], document: _Document) -> _Point:
    digits = match[2] or ""
    number = document.points[-1].number + 1 if document.points else 1
    if digits:
        number = int(digits) if len(digits) <= NUMBER_DIGITS else -1
    said = tap_lines.description(match[3])
    name = said.name or f"test {digits or number}"[:30]
    return _Point(number, not match[1], said._replace(name=name), document.output)


def _cases(document: _Document) -> Iterator[Case]:
    yield from document.children
    for point in document.points:
        yield _case(document.classname, point)
    if document.plans and not (document.points or document.children) and document.plans[0][0] == 0:
        yield _told(document.classname, "all tests", "skipped", document.plans[0][2])
    if document.bailed is None and (broken := _broken_plan(document)):
        yield _told(document.classname, "[plan]", "failed", broken)
    if document.faults:
        yield _told(document.classname, "[document]", "failed", "; ".join(document.faults[:FEW]))


def _broken_plan(document: _Document) -> str:
    """Return what is wrong with the plan, or with the numbers of the tests; "" when nothing is."""
    count = len(document.points)
    if not document.plans:
        there = document.points or document.children
        return "there is no plan: it ended before it could say how many tests there are" if there else ""
    planned, behind, _ = document.plans[0]
    if len(document.plans) > 1:
        return f"there are {len(document.plans)} plans"
    if planned != count:
        return f"{planned} planned, {count} run"
    if 0 < behind < count:
        return "the plan stands between tests: it must be the first or the last"
    numbers = Counter(point.number for point in document.points)
    if wrong := [number for number in numbers if not 1 <= number <= planned]:
        return f"outside of the plan 1..{planned}: test {', '.join(map(str, wrong[:FEW]))}".replace("-1", "?")
    twice = [number for number, times in numbers.items() if times > 1]
    return f"more than once: test {', '.join(map(str, twice[:FEW]))}" if twice else ""


def _told(classname: str, name: str, outcome: Outcome, message: str) -> Case:
    """A case about a document, not about a test of it."""
    return Case(suite=FORMAT, classname=classname, name=name, outcome=outcome, message=message)


def _case(classname: str, point: _Point) -> Case:
    yaml = "\n".join(point.yaml)
    output, evidence = "\n".join(point.before), "\n".join(filter(None, ["\n".join(point.below), yaml]))
    outcome: Outcome = "passed" if point.good else "failed"
    nuance: Nuance = ""
    message = point.said.reason
    if point.said.directive == "skip":
        outcome = "skipped"
    elif point.said.directive == "todo":
        outcome, nuance = ("passed", "unexpected-success") if point.good else ("skipped", "todo")
    elif not point.good:
        found = MESSAGE.search(yaml)
        message = (found[1] if found else "") or excerpts.first_line(evidence)
        nuance = "timeout" if found and TIMEOUT.search(yaml) else ""
    if outcome == "passed":
        output, evidence = "\n".join(filter(None, [output, "\n".join(point.below)])), ""
    elif outcome == "skipped" and evidence == yaml and set(yaml.split(":")[:1]) == {"duration_ms"}:
        evidence = ""
    timed = DURATION.search(yaml)
    return Case(
        suite=FORMAT, classname=classname, name=point.said.name, outcome=outcome, nuance=nuance,
        seconds=point.said.seconds or (float(timed[1]) / 1000 if timed else 0.0), message=message,
        evidence=evidence, output=output,
    )  # fmt: skip
