"""Cases as JUnit XML, in one strict profile: junit-xml is the object model, lxml the writer.

The profile is a subset of the XML that Jenkins' junit and xunit plugins both read: three decimals, no properties, one
result for each case, always with a message.  Text becomes legal XML 1.0: a forbidden character shows as ``#x1B``.

Every field of a case is kept.  The ``type`` of a result is the case's nuance.  JUnit has no place for the message and
nuance of a passing case: they are lines at the beginning of its output, ``[superficial] message``, before an empty
line.  Earlier tries (cases with the nuance ``rerun`` after the case that they belong to) are its ``flakyFailure`` or
``rerunFailure``.  `reports.formats.junit` reads all of this back.  Output is shortened, with a marker, to the length
that Jenkins keeps; the evidence of a failure is in its text, which Jenkins does not shorten.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from junit_xml import TestCase, TestSuite
from lxml import etree

from lab.base import files
from lab.results.cases import Case
from lab.store.run_directory import Run
from reports.formats.excerpts import cut
from reports.formats.gc_pause import uncollected
from reports.formats.junit_case import HEAD
from reports.formats.runs import cases_of
from reports.formats.xml_input import ILLEGAL

NAMELESS = "(unnamed)"
# The characters that Jenkins keeps of a case's output: half from its beginning, half from its end.
KEPT = {"passed": 1_000, "skipped": 1_000, "failed": 100_000, "error": 100_000}
FAILING = {"failed": "Failure", "error": "Error"}
TRIES = {"passed": "flaky", "failed": "rerun", "error": "rerun"}
PART = 1_000
CaseWithTries = tuple[Case, tuple[Case, ...]]


def legal(text: str) -> str:
    """Return text that is legal in XML 1.0, with visible replacements of forbidden characters."""
    return text if text.isprintable() else ILLEGAL.sub(lambda match: f"#x{ord(match[0]):02X}", text)


def write(run: Run) -> Path:
    """Write results/junit.xml of a run: its steps and native results."""
    path = run.results / "junit.xml"
    files.write_atomic(path, render(cases_of(run)))
    return path


def render(cases: Iterable[Case]) -> bytes:
    """Return cases as JUnit XML, with a suite for each of their suites, in the order of first appearance."""
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.suite, []).append(case)
    buffer = BytesIO()
    with uncollected(), etree.xmlfile(buffer, encoding="UTF-8") as out:
        out.write_declaration()
        with out.element("testsuites"):
            for number, (name, suite_cases) in enumerate(suites.items()):
                out.write("\n  ")
                _write_suite(out, number, name, _with_tries(suite_cases))
            out.write("\n" * bool(suites))
    return buffer.getvalue() + b"\n"


def _with_tries(cases: Iterable[Case]) -> list[CaseWithTries]:
    """Return each case with the earlier tries that follow it."""
    grouped: list[CaseWithTries] = []
    for case in cases:
        if case.nuance == "rerun" and grouped and _is_try_of(case, grouped[-1][0]):
            grouped[-1] = grouped[-1][0], (*grouped[-1][1], case)
        else:
            grouped.append((case, ()))
    return grouped


def _write_suite(out: Any, number: int, name: str, cases: Sequence[CaseWithTries]) -> None:
    """Write a suite in parts, which bounds the memory."""
    with out.element("testsuite", _header(number, name, [case for case, _ in cases])):
        for begin in range(0, len(cases), PART):
            for attributes, element in _elements(cases[begin : begin + PART]):
                out.write("\n    ")
                if element is not None:
                    out.write(element)
                else:  # a third of the time of an element
                    with out.element("testcase", attributes):
                        pass
        out.write("\n  ")


def _header(number: int, name: str, cases: Sequence[Case]) -> dict[str, str]:
    """Return the attributes of a suite."""
    timestamp = _timestamp(min((case.started for case in cases if case.started), default=""))
    attributes = TestSuite(legal(name) or NAMELESS, id=str(number), timestamp=timestamp).build_xml_doc().attrib
    del attributes["disabled"]  # junit-xml always writes it, and the schema refuses it
    outcomes = Counter(case.outcome for case in cases)
    counts = {
        "tests": len(cases),
        "failures": outcomes["failed"],
        "errors": outcomes["error"],
        "skipped": outcomes["skipped"],
    }
    time = _time(sum(case.seconds for case in cases))
    return {**attributes, **{key: str(count) for key, count in counts.items()}, "time": time}


def _elements(cases: Sequence[CaseWithTries]) -> Iterator[tuple[dict[str, str], etree._Element | None]]:
    """Yield the attributes of each test, and the element of one that has something to say: built by junit-xml."""
    modelled = [_modelled(case, tries) for case, tries in cases]
    built = iter(TestSuite(NAMELESS, [each for each in modelled if each]).build_xml_doc())
    for (case, tries), model in zip(cases, modelled, strict=True):
        attributes = _attributes(case)
        if model is None:
            yield attributes, None
            continue
        child = next(built)
        child.attrib.update(attributes)
        if case.outcome == "skipped":
            child[0].set("type", case.nuance or case.outcome)  # junit-xml has only one type
        for earlier in tries:
            _add_try(child, case, earlier)
        copied = _copied(child)
        etree.indent(copied, level=2)
        yield attributes, copied


def _attributes(case: Case) -> dict[str, str]:
    return {
        "name": legal(case.name) or NAMELESS,
        "classname": legal(case.classname or case.suite) or NAMELESS,
        "time": _time(case.seconds),
    }


def _time(seconds: float) -> str:
    return f"{max(0.0, seconds) if math.isfinite(seconds) else 0.0:.3f}"


def _timestamp(moment: str) -> str | None:
    """Return a moment in Jenkins' form, in UTC and seconds; None if it is invalid."""
    try:
        parsed = datetime.fromisoformat(moment)
        return f"{(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return None


def _is_try_of(case: Case, last: Case) -> bool:
    """Return whether a case is an earlier try of the case before it."""
    return case.id == last.id and last.nuance != "rerun" and case.outcome in FAILING and last.outcome in TRIES


def _copied(element: ET.Element) -> etree._Element:
    """Return an element of the standard library as one of lxml; serialised, it would lose its carriage returns."""
    copied = etree.Element(element.tag, element.attrib)
    copied.text = element.text
    for child in element:
        copied.append(_copied(child))
    return copied


def _modelled(case: Case, tries: Sequence[Case]) -> TestCase | None:
    """Return what a test says, its output and result; None if it passed and says nothing, as most tests do."""
    is_passed = case.outcome == "passed"
    output = _with_head(case, tries) if is_passed else case.output
    if is_passed and not (output or case.errors or tries):
        return None
    most = KEPT[case.outcome]
    modelled = TestCase("", stdout=cut(legal(output), most), stderr=cut(legal(case.errors), most))
    if is_passed:
        return modelled
    kind = case.nuance or case.outcome
    texts = {"message": legal(case.message) or kind, "output": legal(case.evidence)}
    if case.outcome == "failed":
        modelled.add_failure_info(**texts, failure_type=kind)
    elif case.outcome == "error":
        modelled.add_error_info(**texts, error_type=kind)
    else:
        modelled.add_skipped_info(**texts)
    return modelled


def _with_head(case: Case, tries: Sequence[Case]) -> str:
    """Return the output of a passing case after its nuance and message."""
    word = case.nuance or "passed"
    if word == ("flaky" if tries else "passed") and not case.message and not HEAD.match(case.output):
        return case.output
    lines = "".join(f"[{word}] {line}\n" for line in case.message.split("\n"))
    return f"{lines}\n{case.output}" if case.output else lines.removesuffix("\n")


def _add_try(element: ET.Element, case: Case, earlier: Case) -> None:
    kind = TRIES[case.outcome] + FAILING[earlier.outcome]
    message = legal(earlier.message) or earlier.outcome
    added = ET.SubElement(element, kind, type=earlier.outcome, message=message)
    output, errors = (cut(legal(text), KEPT["failed"]) for text in (earlier.output, earlier.errors))
    for name, text in (("stackTrace", legal(earlier.evidence)), ("system-out", output), ("system-err", errors)):
        if text:
            ET.SubElement(added, name).text = text
