"""Cases as JUnit XML, in one strict profile, written with lxml.

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
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

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
RESULTS = {"failed": "failure", "error": "error", "skipped": "skipped"}
FAILING = {"failed": "Failure", "error": "Error"}
TRIES = {"passed": "flaky", "failed": "rerun", "error": "rerun"}
DECLARATION = "<?xml version='1.0' encoding='UTF-8'?>\n"
IN_ATTRIBUTES = {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}
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
    with uncollected():
        parts = [part for number, (name, suite) in enumerate(suites.items()) for part in _suite(number, name, suite)]
    end = "\n" * bool(parts)
    return "".join([DECLARATION, _tag("testsuites", {}), *parts, end, "</testsuites>\n"]).encode()


def _with_tries(cases: Iterable[Case]) -> list[CaseWithTries]:
    """Return each case with the earlier tries that follow it."""
    grouped: list[CaseWithTries] = []
    for case in cases:
        if case.nuance == "rerun" and grouped and _is_try_of(case, grouped[-1][0]):
            grouped[-1] = grouped[-1][0], (*grouped[-1][1], case)
        else:
            grouped.append((case, ()))
    return grouped


def _suite(number: int, name: str, cases: Sequence[Case]) -> Iterator[str]:
    grouped = _with_tries(cases)
    yield f"\n  {_tag('testsuite', _header(number, name, [case for case, _ in grouped]))}"
    for case, tries in grouped:
        yield f"\n    {_testcase(case, tries)}"
    yield "\n  </testsuite>"


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    """Return a start tag as lxml writes it; to make an element of lxml for each test takes three times as long."""
    written = (f' {key}="{escape(value, IN_ATTRIBUTES)}"' for key, value in attributes.items())
    return f"<{name}{''.join(written)}>"


def _header(number: int, name: str, cases: Sequence[Case]) -> dict[str, str]:
    """Return the attributes of a suite."""
    outcomes = Counter(case.outcome for case in cases)
    timestamp = _timestamp(min((case.started for case in cases if case.started), default=""))
    return {
        "errors": str(outcomes["error"]),
        "failures": str(outcomes["failed"]),
        "name": legal(name) or NAMELESS,
        "skipped": str(outcomes["skipped"]),
        "tests": str(len(cases)),
        "time": _time(sum(case.seconds for case in cases)),
        "id": str(number),
        **({"timestamp": timestamp} if timestamp else {}),
    }


def _testcase(case: Case, tries: Sequence[Case]) -> str:
    attributes = {
        "name": legal(case.name) or NAMELESS,
        "time": _time(case.seconds),
        "classname": legal(case.classname or case.suite) or NAMELESS,
    }
    output = _with_head(case, tries) if case.outcome == "passed" else case.output
    if case.outcome == "passed" and not (output or case.errors or tries):
        return _tag("testcase", attributes).removesuffix(">") + "/>"
    element = etree.Element("testcase", attributes)
    if case.outcome != "passed":
        kind = case.nuance or case.outcome
        result = etree.SubElement(element, RESULTS[case.outcome], type=kind, message=legal(case.message) or kind)
        result.text = legal(case.evidence) or None
    _add_texts(element, {"system-out": output, "system-err": case.errors}, KEPT[case.outcome])
    for earlier in tries:
        _add_try(element, case, earlier)
    etree.indent(element, level=2)
    return etree.tostring(element, encoding="unicode")


def _add_texts(element: etree._Element, texts: Mapping[str, str], most: int) -> None:
    for name, text in texts.items():
        if text:
            etree.SubElement(element, name).text = cut(legal(text), most)


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


def _with_head(case: Case, tries: Sequence[Case]) -> str:
    """Return the output of a passing case after its nuance and message."""
    word = case.nuance or "passed"
    if word == ("flaky" if tries else "passed") and not case.message and not HEAD.match(case.output):
        return case.output
    lines = "".join(f"[{word}] {line}\n" for line in case.message.split("\n"))
    return f"{lines}\n{case.output}" if case.output else lines.removesuffix("\n")


def _add_try(element: etree._Element, case: Case, earlier: Case) -> None:
    kind = TRIES[case.outcome] + FAILING[earlier.outcome]
    message = legal(earlier.message) or earlier.outcome
    added = etree.SubElement(element, kind, type=earlier.outcome, message=message)
    _add_texts(added, {"stackTrace": earlier.evidence}, sys.maxsize)
    _add_texts(added, {"system-out": earlier.output, "system-err": earlier.errors}, KEPT["failed"])
