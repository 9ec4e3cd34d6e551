"""Cases as JUnit XML, in one strict profile: junit-xml is the object model, lxml the writer.

What Jenkins' junit and xunit plugins both read, and less: three decimals, no properties, one result a case, always
with a message.  Text is made legal XML 1.0 first: a forbidden character shows as ``#x1B``.

Nothing that a case says is lost.  The ``type`` of a result is the case's nuance.  A passing case has no place for
message and nuance: they are lines at the head of its output, ``[superficial] message``, before an empty one.  Earlier
tries (cases with the nuance ``rerun`` behind the one they are tries of) are its ``flakyFailure`` or ``rerunFailure``.
`reports.formats.junit` reads all that back.  What Jenkins would cut of an output we cut before, with a marker; the
evidence of a failure stands in its text, which is not cut.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from junit_xml import TestCase, TestSuite
from lxml import etree

from lab.base import files
from lab.results.cases import Case
from lab.store.run_directory import Run
from reports.formats.excerpts import cut
from reports.formats.gc_pause import uncollected
from reports.formats.junit import HEAD
from reports.formats.runs import cases_of

# Everything outside the Char production of XML 1.0, and the surrogates of undecodable bytes.
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NAMELESS = "(unnamed)"
# What Jenkins keeps of a case's output, in characters: half from its beginning, half from its end.
KEPT = {"passed": 1_000, "skipped": 1_000, "failed": 100_000, "error": 100_000}
FAILING = {"failed": "Failure", "error": "Error"}
TRIES = {"passed": "flaky", "failed": "rerun", "error": "rerun"}
Told = tuple[Case, tuple[Case, ...]]


def legal(text: str) -> str:
    """Text that XML 1.0 can hold, with what it cannot made visible."""
    return text if text.isprintable() else ILLEGAL.sub(lambda match: f"#x{ord(match[0]):02X}", text)


def write(run: Run) -> Path:
    """Write results/junit.xml of a run: its steps, and all that their tools found."""
    path = run.results / "junit.xml"
    files.write_atomic(path, render(cases_of(run)))
    return path


def render(cases: Iterable[Case]) -> bytes:
    """Cases as JUnit XML, a suite for each of their suites, in the order in which these come first."""
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.suite, []).append(case)
    root = etree.Element("testsuites")
    with uncollected():
        for number, (name, told) in enumerate(suites.items()):
            _add_suite(root, number, name, _with_tries(told))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _with_tries(cases: Iterable[Case]) -> list[Told]:
    """Each case with the earlier tries of it that follow it."""
    told: list[Told] = []
    for case in cases:
        if case.nuance == "rerun" and told and _is_try_of(case, told[-1][0]):
            told[-1] = told[-1][0], (*told[-1][1], case)
        else:
            told.append((case, ()))
    return told


def _add_suite(root: etree._Element, number: int, name: str, told: Sequence[Told]) -> None:
    suite = TestSuite(
        legal(name) or NAMELESS,
        [_modelled(case, tries) for case, tries in told],
        id=str(number),
        timestamp=_timestamp(min((case.started for case, _ in told if case.started), default="")),
    )
    # Its element tree is its own; only the writing is not.
    element = suite.build_xml_doc()
    del element.attrib["disabled"]  # what it always writes and the schema refuses
    element.set("time", _time(sum(case.seconds for case, _ in told)))
    for child, (case, tries) in zip(element, told, strict=True):
        child.set("time", _time(case.seconds))
        if case.outcome == "skipped":
            child[0].set("type", case.nuance or case.outcome)  # junit-xml has but one
        for earlier in tries:
            _add_try(child, case, earlier)
    _copy(root, element)


def _time(seconds: float) -> str:
    return f"{max(0.0, seconds) if math.isfinite(seconds) else 0.0:.3f}"


def _timestamp(moment: str) -> str | None:
    """A moment as Jenkins reads it, in UTC and to the second; None for none."""
    try:
        told = datetime.fromisoformat(moment)
        return f"{(told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return None


def _is_try_of(case: Case, last: Case) -> bool:
    """Whether a case is an earlier try of the one before it."""
    return case.id == last.id and last.nuance != "rerun" and case.outcome in FAILING and last.outcome in TRIES


def _copy(parent: etree._Element, element: ET.Element) -> None:
    """Make an element of the standard library one of lxml's: as text it would lose its carriage returns."""
    made = etree.SubElement(parent, element.tag, element.attrib)
    if element.text:
        made.text = element.text
    for child in element:
        _copy(made, child)


def _modelled(case: Case, tries: Sequence[Case]) -> TestCase:
    output = _with_head(case, tries) if case.outcome == "passed" else case.output
    modelled = TestCase(
        legal(case.name) or NAMELESS,
        legal(case.classname or case.suite) or NAMELESS,
        case.seconds,
        output and cut(legal(output), KEPT[case.outcome]),
        case.errors and cut(legal(case.errors), KEPT[case.outcome]),
    )
    if case.outcome == "passed":
        return modelled
    kind = case.nuance or case.outcome
    told = {"message": legal(case.message) or kind, "output": legal(case.evidence)}
    if case.outcome == "failed":
        modelled.add_failure_info(**told, failure_type=kind)
    elif case.outcome == "error":
        modelled.add_error_info(**told, error_type=kind)
    else:
        modelled.add_skipped_info(**told)
    return modelled


def _with_head(case: Case, tries: Sequence[Case]) -> str:
    """A passing case's output, with its nuance and message before it."""
    word = case.nuance or "passed"
    if word == ("flaky" if tries else "passed") and not case.message and not HEAD.match(case.output):
        return case.output
    lines = "".join(f"[{word}] {line}\n" for line in case.message.split("\n"))
    return f"{lines}\n{case.output}" if case.output else lines.removesuffix("\n")


def _add_try(element: ET.Element, case: Case, earlier: Case) -> None:
    kind = TRIES[case.outcome] + FAILING[earlier.outcome]
    message = legal(earlier.message) or earlier.outcome
    made = ET.SubElement(element, kind, type=earlier.outcome, message=message)
    output, errors = (cut(legal(text), KEPT["failed"]) for text in (earlier.output, earlier.errors))
    for name, text in (("stackTrace", legal(earlier.evidence)), ("system-out", output), ("system-err", errors)):
        if text:
            ET.SubElement(made, name).text = text
