"""TRX: the results of Visual Studio's and .NET's test runners (``TestRun`` of TeamTest 2006 and 2010).

The outcomes are those of ``TestOutcome`` in vstest.  A result without one is an error, since the logger leaves out the
first of them, Error.  Results within results (data rows) are cases too, before that of their test.
A run that failed without a failed test, or whose counters have more of them, or that has no summary, is a case
``[run]``; what the run prints is also part of the first case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lxml import etree

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts, junit_case, xml_input
from reports.formats.excerpts import Unreadable
from reports.formats.junit_case import joined
from reports.formats.xml_input import child, children, text

FORMAT = "trx"
MARK = re.compile(xml_input.BEGIN + rb"<(?:\w+:)?TestRun\s+[\w:]")  # CppUnit writes <TestRun>
OUTCOMES: Mapping[str, Outcome] = {
    "Passed": "passed", "Completed": "passed", "Warning": "passed",
    "Failed": "failed", "Timeout": "failed",
    "Error": "error", "Aborted": "error", "NotRunnable": "error", "Disconnected": "error", "InProgress": "error",
    "Pending": "error", "PassedButRunAborted": "error",
    "NotExecuted": "skipped", "Inconclusive": "skipped",
}  # fmt: skip
COUNTED = ("failed", "error", "timeout", "aborted")
MOST_DIGITS = 10
FAILING = {"failed", "error"}
DURATION = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)")


class TestDefinition(NamedTuple):
    """A test: its class, and its categories."""

    classname: str = ""
    categories: str = ""


class TestRun(NamedTuple):
    """The end of a run: its outcome, the number of failed tests that it counts, and what it prints."""

    outcome: str = ""
    counted: int = 0
    texts: str = ""


def parse(path: Path) -> Iterator[Case]:
    data = excerpts.read(path)
    run, tests = _run(data)
    bad, texts = 0, run.texts
    for _, element in xml_input.records(data, _is_record):
        if element.get("testName"):
            case = _case(path.stem, element, tests.get(element.get("testId") or "", TestDefinition()), texts)
            bad, texts = bad + (case.outcome in FAILING), ""
            yield case
    if fault := _fault(run, bad):
        yield Case(
            suite=path.stem, classname=path.stem, name="[run]", outcome="error", message=fault, evidence=run.texts
        )  # fmt: skip


def _is_record(name: str) -> bool:
    return name in {"UnitTest", "ResultSummary", "TestResultAggregation"} or name.endswith("Result")


def _run(data: bytes) -> tuple[TestRun, dict[str, TestDefinition]]:
    """Return the end of a run, and the tests by their id, which come after the results."""
    run, tests = TestRun(), dict[str, TestDefinition]()
    with suppress(Unreadable):  # which the results will show
        for _, element in xml_input.records(data, _is_record):
            if xml_input.name(element) == "UnitTest":
                tests[element.get("id") or ""] = _definition(element)
            elif xml_input.name(element) == "ResultSummary":
                run = TestRun(element.get("outcome") or "no outcome", _counted(element), joined(_run_texts(element)))
    return run, tests


def _definition(element: etree._Element) -> TestDefinition:
    method = child(element, "TestMethod")
    categories = [each.get("TestCategory") or "" for group in children(element, "TestCategory") for each in group]
    classname = "" if method is None else (method.get("className") or "").partition(",")[0]
    return TestDefinition(classname, " ".join(categories))


def _counted(summary: etree._Element) -> int:
    counters = child(summary, "Counters")
    numbers = [] if counters is None else [counters.get(key) or "" for key in COUNTED]
    return sum(int(number) for number in numbers if number.isdecimal() and len(number) < MOST_DIGITS)


def _case(suite: str, result: etree._Element, test: TestDefinition, more: str) -> Case:
    word = result.get("outcome") or ""
    outcome = OUTCOMES.get(word, "error")
    nuance: Nuance = "timeout" if word == "Timeout" else ""
    texts = {kind: text(child(result, "Output", kind)).strip("\n") for kind in ("StdOut", "StdErr", "DebugTrace")}
    message = text(child(result, "Output", "ErrorInfo", "Message")).strip()
    messages = child(result, "Output", "TextMessages")
    printed = [texts["StdOut"], texts["DebugTrace"], *map(text, messages if messages is not None else ())]
    categories = junit_case.property_line("category", test.categories) if test.categories else ""
    name = result.get("testName") or ""
    if word not in OUTCOMES:
        message = joined([f"unknown outcome: {word}" if word else "no outcome", message])
    elif outcome in FAILING and not message and word != "Failed":
        message = word
    return Case(
        suite=suite, classname=test.classname or suite, name=name.removeprefix(f"{test.classname}.") or name,
        outcome=outcome, nuance=nuance, seconds=_seconds(result.get("duration") or ""), message=message,
        evidence=text(child(result, "Output", "ErrorInfo", "StackTrace")).strip("\n"),
        output=joined([*printed, categories, more]), errors=texts["StdErr"],
        started=junit_case.moment(result.get("startTime")),
    )  # fmt: skip


def _seconds(duration: str) -> float:
    match = DURATION.fullmatch(duration)
    if not match:
        return 0.0
    days, hours, minutes, seconds = match.groups()
    return ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)


def _run_texts(summary: etree._Element) -> Iterator[str]:
    """Yield what the run itself prints."""
    yield text(child(summary, "Output", "StdOut")).strip()
    for infos in children(summary, "RunInfos"):
        yield from (f"{each.get('outcome') or ''}: {text(child(each, 'Text')).strip()}" for each in infos)


def _fault(run: TestRun, bad: int) -> str:
    """Return why the run is bad, beyond its tests; "" if it is not."""
    if not run.outcome:
        return "the run has no summary: it did not end"
    if run.counted > bad:
        return f"the summary counts {run.counted} failed tests; the run has {bad}"
    if not bad and OUTCOMES.get(run.outcome, "error") != "passed":
        return f"the run ended as {run.outcome}, and none of its tests failed"
    return ""
