"""Boost.Test's XML: its log (``TestLog``), and its report (``TestResult``).

In a log a test fails by an ``Error``, a ``FatalError`` or an ``Exception`` (an error); ``Info``, ``Message`` and
``Warning`` are output; a test with ``skipped`` did not run.  Entries outside of a test are the suite's.  In a report
``result`` is passed, failed, aborted or skipped; another word is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lxml import etree

from lab.results.cases import Case, Outcome
from reports.formats import excerpts, junit_case, xml_input
from reports.formats.junit_case import joined, property_line
from reports.formats.xml_input import child, children, text

FORMAT = "boost"
MARK = re.compile(xml_input.BEGIN + rb"<(?:TestLog|TestResult)\b")
RECORDS = frozenset({"TestCase", "TestSuite", "TestLog", "TestResult"})
RESULTS: Mapping[str, Outcome] = {"passed": "passed", "failed": "failed", "aborted": "error", "skipped": "skipped"}
FAILURES: Mapping[str, Outcome] = {"Exception": "error", "FatalError": "failed", "Error": "failed"}
SEVERITY: Sequence[Outcome] = ("error", "failed")
OTHERS = ("Info", "Message", "Warning")
MICROSECONDS = 1e6
EXPECTED = {"assertions_passed", "assertions_failed", "warnings_failed", "expected_failures"}


def parse(path: Path) -> Iterator[Case]:
    failed = set[int]()  # the depths of the open suites with a failed test in them
    for ancestors, element in xml_input.records(excerpts.read(path), RECORDS.__contains__):
        names = [each.get("name") or "" for each in ancestors if xml_input.name(each) == "TestSuite"]
        depth, is_bad = len(ancestors), False
        if xml_input.name(element) == "TestCase":
            case = _case(names, element)
            is_bad = case.outcome in SEVERITY
            yield case
        elif own := _entries(element) or _unexplained(element, is_explained=depth in failed):
            is_bad = True
            yield _of_suite([*names, element.get("name") or path.stem], own)
        failed.discard(depth)
        if is_bad:
            failed.update(range(depth))


def _unexplained(element: etree._Element, *, is_explained: bool) -> list[tuple[Outcome, str]]:
    """Return the failure of a suite in a report that failed without one of its tests."""
    result = element.get("result") or "passed"
    outcome = RESULTS.get(result, "error")
    return [(outcome, f"the suite is {result}")] if outcome in SEVERITY and not is_explained else []


def _of_suite(names: list[str], entries: list[tuple[Outcome, str]]) -> Case:
    texts = [told for _, told in entries]
    return Case(
        suite=names[0], classname=_classname(names), name="[suite]", outcome=_worst(entries), message=texts[0],
        evidence=joined(texts),
    )  # fmt: skip


def _case(names: list[str], element: etree._Element) -> Case:
    result = element.get("result")
    entries = _entries(element)
    outcome: Outcome = _worst(entries) if entries else "passed"
    message = entries[0][1] if entries else ""
    if element.get("skipped"):
        outcome, message = "skipped", element.get("reason") or ""
    elif result is not None:
        outcome = RESULTS.get(result, "error")
        message = (
            f"unknown result: {result}" if result not in RESULTS else "" if outcome == "passed" else _counts(element)
        )
    others = [_told(each) for each in children(element, *OTHERS)]
    places = [property_line(key, value) for key in ("file", "line") if (value := element.get(key))]
    return Case(
        suite=names[0] if names else FORMAT, classname=_classname(names), name=element.get("name") or "(unnamed)",
        outcome=outcome, message=message, evidence=joined(told for _, told in entries),
        seconds=junit_case.seconds(text(child(element, "TestingTime"))) / MICROSECONDS,
        output=joined([*others, text(child(element, "SystemOut")), *places]),
    )  # fmt: skip


def _classname(names: list[str]) -> str:
    """Return the suites of a test without the module, which is the outermost."""
    return ".".join(names[1:] or names) or FORMAT


def _entries(element: etree._Element) -> list[tuple[Outcome, str]]:
    """Return the failures that an element has itself."""
    return [(FAILURES[xml_input.name(each)], _told(each)) for each in children(element, *FAILURES)]


def _worst(entries: Sequence[tuple[Outcome, str]]) -> Outcome:
    return min((outcome for outcome, _ in entries), key=SEVERITY.index)


def _told(element: etree._Element) -> str:
    """Return a line of a log: its place and its text."""
    place = ":".join(filter(None, (element.get("file"), element.get("line"))))
    checkpoint = child(element, "LastCheckpoint")
    after = f" (last checkpoint {_told(checkpoint)})" if checkpoint is not None else ""
    own = (element.text or "") if checkpoint is not None else text(element)
    return f"{place}{': ' * bool(place)}{own.strip()}{after}".strip()


def _counts(element: etree._Element) -> str:
    counts = (
        f"{key.replace('_', ' ')}: {value}"
        for key in sorted(EXPECTED)
        if (value := element.get(key)) not in {None, "0"}
    )
    return ", ".join(counts)
