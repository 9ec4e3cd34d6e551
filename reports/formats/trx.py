"""TRX: the results of Visual Studio's and .NET's test runners (``TestRun`` of TeamTest 2006 and 2010).

The outcomes are those of ``TestOutcome`` in vstest.  A result without one is an error, since the logger leaves out the
first of them, Error.  Results within results (data rows) are cases too.  A run that failed without a failed test, or
whose counters have more of them, is a case ``[run]``; what the run prints is part of it, else of the first case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lxml import etree

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts, junit_case, xml_input
from reports.formats.junit_case import joined
from reports.formats.xml_input import child, children, text

FORMAT = "trx"
MARK = re.compile(xml_input.BEGIN + rb"<(?:\w+:)?TestRun\b")
OUTCOMES: Mapping[str, Outcome] = {
    "Passed": "passed", "Completed": "passed", "Warning": "passed",
    "Failed": "failed", "Timeout": "failed",
    "Error": "error", "Aborted": "error", "NotRunnable": "error", "Disconnected": "error", "InProgress": "error",
    "Pending": "error", "PassedButRunAborted": "error",
    "NotExecuted": "skipped", "Inconclusive": "skipped",
}  # fmt: skip
COUNTED = ("failed", "error", "timeout", "aborted")
FAILING = {"failed", "error"}
DURATION = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def parse(path: Path) -> Iterator[Case]:
    root = xml_input.root(excerpts.read(path))
    classes = {
        each.get("id"): (child(each, "TestMethod"), each)
        for definitions in children(root, "TestDefinitions")
        for each in definitions
    }
    results = [each for group in children(root, "Results") for each in group.iter() if each.get("testName")]
    cases = [_case(path.stem, each, *classes.get(each.get("testId"), (None, None))) for each in results]
    told = joined(_run_texts(root))
    fault = _fault(root, cases)
    if told and cases and not fault:
        cases[0] = cases[0].model_copy(update={"output": joined([cases[0].output, told])})
    yield from cases
    if fault:
        yield Case(suite=path.stem, classname=path.stem, name="[run]", outcome="error", message=fault, evidence=told)


def _case(suite: str, result: etree._Element, method: etree._Element | None, test: etree._Element | None) -> Case:
    word = result.get("outcome") or ""
    outcome = OUTCOMES.get(word, "error")
    nuance: Nuance = "timeout" if word == "Timeout" else ""
    output = child(result, "Output")
    error = None if output is None else child(output, "ErrorInfo")
    message = "" if error is None else text(child(error, "Message")).strip()
    trace = "" if error is None else text(child(error, "StackTrace")).strip("\n")
    texts = (
        {}
        if output is None
        else {kind: text(child(output, kind)).strip("\n") for kind in ("StdOut", "StdErr", "DebugTrace")}
    )
    more = [] if output is None else [text(each) for group in children(output, "TextMessages") for each in group]
    classname = (method.get("className") or "" if method is not None else "").partition(",")[0]
    name = result.get("testName") or ""
    if word not in OUTCOMES:
        message = joined([f"unknown outcome: {word}" if word else "no outcome", message])
    elif outcome in FAILING and not message and word != "Failed":
        message = word
    return Case(
        suite=suite, classname=classname or suite, name=name.removeprefix(f"{classname}.") or name, outcome=outcome,
        nuance=nuance, seconds=_seconds(result.get("duration") or ""), message=message,
        evidence=trace, output=joined([texts.get("StdOut", ""), texts.get("DebugTrace", ""), *more, *_categories(test)]),
        errors=texts.get("StdErr", ""), started=junit_case.moment(result.get("startTime")),
    )  # fmt: skip


def _categories(test: etree._Element | None) -> Iterator[str]:
    if test is not None:
        for group in children(test, "TestCategory"):
            names = [each.get("TestCategory") or "" for each in group]
            yield junit_case.property_line("category", " ".join(names))


def _seconds(duration: str) -> float:
    match = DURATION.fullmatch(duration)
    if not match:
        return 0.0
    days, hours, minutes, seconds = match.groups()
    return ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)


def _run_texts(root: etree._Element) -> Iterator[str]:
    """Yield what the run itself prints."""
    if (summary := child(root, "ResultSummary")) is not None:
        yield text(child(summary, "Output", "StdOut")).strip()
        for infos in children(summary, "RunInfos"):
            yield from (f"{each.get('outcome') or ''}: {text(child(each, 'Text')).strip()}" for each in infos)


def _fault(root: etree._Element, cases: list[Case]) -> str:
    """Return why the run is bad, beyond its tests; "" if it is not."""
    summary = child(root, "ResultSummary")
    if summary is None:
        return "the run has no summary: it did not end"
    counters = child(summary, "Counters")
    counted = 0 if counters is None else sum(int(n) for key in COUNTED if (n := counters.get(key) or "").isdecimal())
    bad = sum(case.outcome in FAILING for case in cases)
    outcome = summary.get("outcome") or "no outcome"
    if counted > bad:
        return f"the summary counts {counted} failed tests; the run has {bad}"
    if not bad and OUTCOMES.get(outcome, "error") != "passed":
        return f"the run ended as {outcome}, and none of its tests failed"
    return ""
