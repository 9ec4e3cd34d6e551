"""TAP 12 to 14, and the output of ``prove -v``.

The rules are those of https://testanything.org/tap-version-14-specification.html:

- Version: TAP up to 14.  A newer version is read, and is a failing case: its results can have another meaning.
- Plan: exactly one, first or last, and correct: it has the number of test points, and no number is missing,
  duplicate or out of range.  ``1..0`` alone is a skipped case.  Any other plan, or none, is a failing case.
- Test points: ``ok`` and ``not ok`` in lower case at the beginning of a line.  Their order does not matter.
- Directives: after the first unescaped ``#`` that stands alone, in upper or lower case.  ``# SKIP`` is a skipped case, also of
  a failing test.  ``# TODO`` is a skipped case if it fails, else an unexpected success.  Stricter than the
  specification: the word must end there (except ``skipped``, ``skipping`` and punctuation); ``# todolist`` is none.
- YAML diagnostics: between ``---`` and ``...`` of the same indentation.  A block without an end hides no test.
- Comments and anything else: output and evidence of the test next to them; no failure, except with
  ``pragma +strict``.  Other pragmas are ignored.
- ``Bail out!`` in upper or lower case, at any depth: an error, and the end of the document.
- Subtests: indented by four blanks; after their test and in braces if they are buffered.  Each of their tests is a case with the subtest's name in its class,
  and each subtest needs a plan too.  Subtests below the maximum depth are a failing case.
- KTAP, the kernel's (Documentation/dev-tools/ktap.rst), also indents by two; comments are of the test after them; what
  follows ``#`` in a test point is no part of its name; a bad result in a comment is a failed subtest.  ``# XFAIL`` of a good one is skipped, of a bad one it changes
  nothing; with ``# TIMEOUT`` and ``# ERROR`` also a good one has failed.
- GLib's failing tests have the path of the test as their name, without the message that follows it.
- Descriptions need not be unique: the second test of one description gets `` [2]`` after its name, and so on.

The reader is qalab's own: tap.py 3.2 drops subtests, broken plans, plans that skip all, and what is after "Bail out!".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lab.base.text import first_line
from lab.results.cases import MOST_CASES, Case, Nuance, Outcome
from reports.formats import excerpts, prove, tap_lines, tap_plan
from reports.formats.excerpts import Unreadable
from reports.formats.tap_lines import Description

FORMAT = "tap"
MARK = re.compile(rb"^K?TAP version \d+|^1\.\.\d+\b|^(?:not )?ok \d+\b", re.MULTILINE)
ANY = re.compile(r"^(?:K?TAP version \d+|1\.\.\d+|(?:not )?ok\b|Bail out!)", re.MULTILINE)
OUTER_POINTS = re.compile(r"^(?:not )?ok\b", re.MULTILINE)
POINTS = re.compile(r"^(?:# (?:\d+\.\d+ \[\+\d+\.\d+\] )?| *)(?:not )?ok\b", re.MULTILINE)  # also in comments
SPLIT_NOT = re.compile(r"^( *)not[ \t]*\n *(?=ok\b)", re.MULTILINE)  # of VMS; Perl's TAP::Parser joins them too
DURATION = re.compile(r"^\s*duration_ms: (\d{1,15}(?:\.\d{1,15})?)\s*$", re.MULTILINE)
MESSAGE = re.compile(
    r"^( *)(?:message|error): *+(?!(?:''|\"\")\s*$)(?:[|>][+-]?\n\s*)?['\"]?(.+?)['\"]?\s*$", re.MULTILINE
)
TIMEOUT = re.compile(r"\btimed out\b|timeout", re.IGNORECASE)
# Of a directive of KTAP, and a good or bad result.
KERNEL_OUTCOMES: dict[tuple[str, bool], tuple[Outcome, Nuance]] = {
    ("xfail", True): ("skipped", "todo"), ("timeout", True): ("failed", "timeout"), ("timeout", False): ("failed", "timeout"),
    ("error", True): ("error", ""), ("error", False): ("error", ""),
}  # fmt: skip
NUMBER_DIGITS = 9
DEEPEST = 20


@dataclass(slots=True)
class _Point:
    """A test point with its output and diagnostics."""

    number: int
    good: bool
    description: Description
    before: list[str]
    """The output of the test."""
    below: list[str] = field(default_factory=list)
    """Diagnostics."""
    yaml: list[str] = field(default_factory=list)


@dataclass
class _Document:
    """A document, or a subtest, while it is read."""

    classname: str
    depth: int = 0
    strict: bool = False
    kernel: bool = False
    points: list[_Point] = field(default_factory=list)
    children: list[Case] = field(default_factory=list)
    plans: list[tuple[int, int, str]] = field(default_factory=list)
    """For each plan: the number of tests, the number of points before the plan, its reason."""
    bailed: str | None = None
    faults: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    """The output since the last point."""
    current: _Point | None = None
    """The point that diagnostics belong to."""
    buffered: str | None = None
    """The name of the test whose subtest is in braces, until they end."""


def parse(path: Path) -> Iterator[Case]:
    text = excerpts.text(path).removeprefix("\ufeff").replace("\r", "\n")
    if text.strip() and not ANY.search(text):
        raise Unreadable("has no line of TAP")
    beyond = next(islice(POINTS.finditer(text), MOST_CASES, None), None)
    if beyond:
        text = text[: beyond.start()]
        yield _document_case(path.stem, "[document]", "failed", f"more than {MOST_CASES:,} tests: the rest is not read")
    documents = prove.documents(SPLIT_NOT.sub(r"\1not ", text))
    cases = list(unique(case for name, body in documents for case in cases_of(name, path.stem, body)))
    yield from cases
    bad = any(case.outcome in {"failed", "error"} for case in cases)
    name, message = ("", "") if bad else prove.fault(text)
    if message:
        yield _document_case(path.stem, name, "failed", message)


def begins(text: str) -> bool:
    """Return whether the first line of a text is TAP."""
    first = text.partition("\n")[0]
    return any(pattern.fullmatch(first) for pattern in tap_lines.TAP)


def faults(name: str, text: str) -> Iterator[Case]:
    """Yield the failures of a document that are none of its tests."""
    document_cases = cases_of("", name, text.replace("\r", "\n"))
    return (case for case in document_cases if case.name.startswith("[") and case.outcome in {"failed", "error"})


def unique(cases: Iterable[Case]) -> Iterator[Case]:
    """Yield cases, with a number in the name where their identity was there before."""
    seen = dict[tuple[str, str], int]()
    for case in cases:
        name, number = case.name, seen.get((case.classname, case.name), 0)
        while (case.classname, name) in seen:
            number += 1
            name = f"{case.name} [{number}]"
        seen[case.classname, case.name] = number or 1
        seen.setdefault((case.classname, name), 1)
        yield case if name == case.name else case.model_copy(update={"name": name})


def cases_of(name: str, stem: str, body: str) -> Iterator[Case]:
    """Yield the cases of a document; a document of prove has a name, and must have a test."""
    kernel = bool(tap_lines.OF_KERNEL.search(body))
    body = tap_lines.of_glib(tap_lines.of_kernel(body))
    document = _read(_Document(name or stem, kernel=kernel), body.split("\n"))
    cases = list(_cases(document))
    if document.bailed is not None:  # also if a subtest bails out
        cases.append(_document_case(document.classname, "[bail out]", "error", f"Bail out! {document.bailed}".strip()))
    yield from cases
    if name and not cases:
        yield _document_case(name, "[plan]", "failed", prove.complaint(body) or "no plan and no test")
    elif name and (complaint := prove.complaint(body)) and all(case.outcome in {"passed", "skipped"} for case in cases):
        yield _document_case(name, "[exit]", "failed", complaint)


def _read(document: _Document, lines: Sequence[str]) -> _Document:
    at = 0
    while at < len(lines):
        line = lines[at]
        opened = tap_lines.opened(lines, at)
        if opened is not None and (opened or document.current):
            if opened:
                _read_line(document, opened)
            document.buffered = document.current.description.name if document.current else None
            at += 1
        elif document.buffered is not None and line.strip() == "}":
            document.buffered, at = None, at + 1
        elif tap_lines.begins_subtest(line):
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
            document.faults.append(f"{line.strip()} is unknown; the newest known version is {tap_lines.NEWEST_VERSION}")
    elif line.lstrip(" \t").startswith("#"):
        place = document.output if document.kernel else document.current.below if document.current else None
        if place is not None and not tap_lines.SUBTEST.fullmatch(line):
            place.append(line.lstrip(" \t").removeprefix("#").removeprefix(" "))
    elif line.strip():
        _read_output(document, [line])


def _read_output(document: _Document, lines: list[str]) -> None:
    """Read lines that are not TAP; indented ones after a failing test are diagnostics, as mocha writes them."""
    test = document.current
    if test and not test.good and not document.strict and all(line.startswith("  ") for line in lines):
        test.below += [line.removeprefix("  ") for line in lines]
        return
    document.output += lines
    document.current = None
    if document.strict:
        document.faults += [f"pragma +strict, and a line is not TAP: {line.strip()}" for line in lines]


def _read_subtest(document: _Document, lines: Sequence[str], at: int) -> int:
    """Read a subtest; return the index of the line after it."""
    end, inside, others = tap_lines.subtest(lines, at)
    _read_output(document, others)
    document.current = None
    if document.depth == DEEPEST:
        document.faults.append(f"subtests are nested more than {DEEPEST} levels deep: the lower levels are not read")
        return end
    closing = tap_lines.POINT.fullmatch(lines[end]) if end < len(lines) else None
    name = document.buffered or (_description(closing[3], document).name if closing else "")
    child = _Document(f"{document.classname}.{name or 'subtest'}", document.depth + 1, document.strict, document.kernel)
    document.children += _cases(_read(child, inside))
    document.bailed = child.bailed if document.bailed is None else document.bailed
    return end


def _point(match: re.Match[str], document: _Document) -> _Point:
    digits = match[2] or ""
    number = document.points[-1].number + 1 if document.points else 1
    if digits:
        number = int(digits) if len(digits) <= NUMBER_DIGITS else -1
    description = _description(match[3], document)
    if not description.name:
        description = description._replace(name=f"test {digits or number}"[:30])
    return _Point(number, not match[1], description, document.output)


def _description(text: str, document: _Document) -> Description:
    return (tap_lines.kernel_description if document.kernel else tap_lines.description)(text)


def _cases(document: _Document) -> Iterator[Case]:
    yield from document.children
    if document.kernel and document.points:
        document.points[-1].below += document.output  # the totals
    for point in document.points:
        within = f"{document.classname}.{point.description.name}"
        for bad in tap_lines.commented_failures(point.before, good=point.good) if document.kernel else ():
            yield _document_case(within, bad.name, "failed", bad.reason)
        yield _case(document.classname, point)
    if document.plans and not (document.points or document.children) and document.plans[0][0] == 0:
        yield _document_case(document.classname, "all tests", "skipped", document.plans[0][2])
    if document.bailed is None and (broken := _broken(document)):
        yield _document_case(document.classname, "[plan]", "failed", broken)
    if document.faults:
        yield _document_case(document.classname, "[document]", "failed", "; ".join(document.faults[: tap_plan.FEW]))


def _broken(document: _Document) -> str:
    return tap_plan.broken(document.plans, [point.number for point in document.points], bool(document.children))


def _document_case(classname: str, name: str, outcome: Outcome, message: str) -> Case:
    """Return a case about a document, not about one of its tests."""
    return Case(suite=FORMAT, classname=classname, name=name, outcome=outcome, message=message)


def _case(classname: str, point: _Point) -> Case:
    name, directive, reason, seconds = point.description
    if point.good and not (directive or reason or point.before or point.below or point.yaml):
        return Case(suite=FORMAT, classname=classname, name=name, outcome="passed", seconds=seconds)
    yaml = "\n".join(point.yaml)
    output, evidence = "\n".join(point.before), "\n".join(filter(None, ["\n".join(point.below), yaml]))
    outcome: Outcome = "passed" if point.good else "failed"
    nuance: Nuance = ""
    message = reason
    if directive == "skip":
        outcome = "skipped"
    elif directive == "todo":
        outcome, nuance = ("passed", "unexpected-success") if point.good else ("skipped", "todo")
    elif kernel := KERNEL_OUTCOMES.get((directive, point.good)):
        outcome, nuance = kernel
    elif not point.good and not message:
        found = min(MESSAGE.finditer(yaml), key=lambda match: len(match[1]), default=None)
        message = (found[2] if found else "") or first_line(evidence)
        nuance = "timeout" if found and TIMEOUT.search(yaml) else ""
    if outcome == "passed":
        output, evidence = "\n".join(filter(None, [output, "\n".join(point.below)])), ""
    elif outcome == "skipped" and evidence == yaml and set(yaml.split(":")[:1]) == {"duration_ms"}:
        evidence = ""
    timed = DURATION.search(yaml)
    return Case(
        suite=FORMAT, classname=classname, name=name, outcome=outcome, nuance=nuance, message=message,
        seconds=seconds or (float(timed[1]) / 1000 if timed else 0.0), evidence=evidence, output=output,
    )  # fmt: skip
