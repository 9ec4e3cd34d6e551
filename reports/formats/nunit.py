"""NUnit's XML: of NUnit 3 (``test-run``), and of NUnit 2 (``test-results``).

The words are those of "Test Result XML Format" in NUnit's documentation:

- ``result`` of NUnit 3 is Passed, Failed, Skipped, Inconclusive or Warning (a passed test, for NUnit too); a failed one
  with the label Error, Invalid or Cancelled is an error.
- ``result`` of NUnit 2.5 and 2.6 is Success, Failure, Error, Inconclusive, Ignored, Skipped, NotRunnable or Cancelled.
  Before 2.5 ``executed`` and ``success`` decide.
- Any other word is an error.
- A run whose header counts more failed tests than it has is a case ``[counts]``.
- A suite that failed without a failed test in it, or in its own set-up or tear-down, is a case ``[suite]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lxml import etree

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts, junit_case, xml_input
from reports.formats.junit_case import joined, property_line
from reports.formats.xml_input import child, children, text

FORMAT = "nunit"
MARK = re.compile(xml_input.BEGIN + rb"<(?:test-run|test-results|test-suite)\b")
RECORDS = frozenset({"test-case", "test-suite", "test-run"})
RESULTS: Mapping[str, Outcome] = {
    "Passed": "passed", "Success": "passed", "Warning": "passed",
    "Failed": "failed", "Failure": "failed", "Error": "error", "NotRunnable": "error", "Cancelled": "error",
    "Skipped": "skipped", "Ignored": "skipped", "Inconclusive": "skipped", "Explicit": "skipped",
}  # fmt: skip
LABELS: Mapping[str, Outcome] = {"Error": "error", "Invalid": "error", "Cancelled": "error"}
OWN_SITES = {"SetUp", "TearDown"}
FAILING = {"failed", "error"}
TIMEOUT = re.compile(r"Test exceeded Timeout value", re.IGNORECASE)


def parse(path: Path) -> Iterator[Case]:
    failed = set[int]()  # the depths of the open suites with a failed test in them
    counted = bad = 0
    for ancestors, element in xml_input.records(excerpts.read(path), RECORDS.__contains__):
        outcome, complaint = _outcome(element)
        counted = counted or _counted(ancestors[0] if ancestors else element)
        bad += outcome in FAILING and xml_input.name(element) == "test-case"
        if xml_input.name(element) == "test-case":
            yield _case(ancestors, element, outcome, complaint)
        elif outcome in FAILING and (len(ancestors) not in failed or element.get("site") in OWN_SITES):
            yield _of_suite(element, outcome)
        failed.discard(len(ancestors))
        if outcome in FAILING:
            failed.update(range(len(ancestors)))
    if counted > bad:
        message = f"the header counts {counted} failed tests; the run has {bad}"
        yield Case(suite=FORMAT, classname=path.stem, name="[counts]", outcome="failed", message=message)


def _counted(root: etree._Element) -> int:
    """Return the number of failed tests that the header counts: NUnit 3 in one number, NUnit 2 in two."""
    return sum(junit_case.count(root.get(key)) for key in ("failed", "errors", "failures"))


def _outcome(element: etree._Element) -> tuple[Outcome, str]:
    """Return the outcome of a test or a suite, and a complaint about a word that is not known."""
    result = (element.get("result") or "").partition("(")[0].partition(":")[0]
    if not result:
        executed, success = ((element.get(key) or "").lower() for key in ("executed", "success"))
        known: dict[tuple[str, str], Outcome] = {("true", "true"): "passed", ("true", "false"): "failed"}
        if executed == "false":
            return "skipped", ""
        if xml_input.name(element) != "test-case":
            return "failed" if success == "false" else "passed", ""
        outcome = known.get((executed, success))
        return (outcome, "") if outcome else ("error", f"unknown result: executed {executed}, success {success}")
    outcome = RESULTS.get(result)
    if outcome is None:
        return "error", f"unknown result: {result}"
    return LABELS.get(element.get("label") or "", outcome) if outcome == "failed" else outcome, ""


def _case(ancestors: Sequence[etree._Element], element: etree._Element, outcome: Outcome, complaint: str) -> Case:
    classname, name = _names(element)
    message, evidence = _told(element)
    nuance: Nuance = "timeout" if outcome in FAILING and TIMEOUT.search(message) else ""
    output = joined([text(child(element, "output")).strip(), *_more(element)])
    return Case(
        suite=_suite(ancestors), classname=classname or _suite(ancestors), name=name, outcome=outcome, nuance=nuance,
        seconds=junit_case.seconds(element.get("duration") or element.get("time")),
        message=complaint or message or (element.get("label") or "" if outcome == "skipped" else ""),
        evidence="" if outcome == "passed" else evidence,
        output=joined([output, evidence if outcome == "passed" else ""]),
        started=junit_case.moment((element.get("start-time") or "").replace(" ", "T", 1)),
    )  # fmt: skip


def _of_suite(element: etree._Element, outcome: Outcome) -> Case:
    message, evidence = _told(element)
    name = element.get("fullname") or element.get("name") or FORMAT
    return Case(
        suite=FORMAT, classname=name, name="[suite]", outcome=outcome, message=message or element.get("result") or "failed",
        evidence=joined([evidence, text(child(element, "output")).strip()]),
    )  # fmt: skip


def _suite(ancestors: Sequence[etree._Element]) -> str:
    """Return the name of the assembly: the first suite that has one."""
    names = (each.get("name") for each in ancestors if xml_input.name(each) == "test-suite")
    return re.split(r"[/\\]", next(filter(None, names), FORMAT))[-1]


def _names(element: etree._Element) -> tuple[str, str]:
    """Return the class and the name: ``Space.Class`` and ``Method(1.5)``."""
    name = element.get("name") or "(unnamed)"
    if classname := element.get("classname"):
        return classname, name
    plain = re.match(r"[^(\"]*", element.get("fullname") or name)
    classname, _, method = (plain[0] if plain else "").rpartition(".")
    return classname, name.removeprefix(f"{classname}.") if method else name


def _told(element: etree._Element) -> tuple[str, str]:
    """Return the message and the evidence: of the failure or the reason, and of all assertions."""
    parts = list(children(element, "failure", "reason"))
    message = next((told for each in parts if (told := text(child(each, "message")).strip())), "")
    traces = [text(child(each, "stack-trace")).strip() for each in parts]
    assertions = child(element, "assertions")
    more = [] if assertions is None else [joined(text(part).strip() for part in each) for each in assertions]
    evidence = joined([*traces, *(each for each in more if each and message not in each)])
    return message, joined([message if "\n" in message else "", evidence])


def _more(element: etree._Element) -> Iterator[str]:
    for properties in children(element, "properties"):
        yield from junit_case.properties_of(properties)
    for categories in children(element, "categories"):
        yield from (property_line("category", each.get("name") or "") for each in children(categories, "category"))
