"""CTest's ``Testing/TAG/Test.xml`` (``ctest -T Test``), which CDash reads.

``Status`` is passed, failed or notrun.  Of a test that did not run, the completion status ``Disabled`` and
``SKIP_...`` (its return code, or its output, asked for that) are a skipped case; any other is an error, since ctest
counts it as failed: no executable, no required file, a fixture that failed.  Output can be compressed (zlib, base64).
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from lab.base.text import first_line
from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts, junit_case, xml_input
from reports.formats.excerpts import Unreadable
from reports.formats.junit_case import joined, property_line
from reports.formats.xml_input import child, children, text

FORMAT = "ctest"
MARK = re.compile(xml_input.BEGIN + rb"<Site\b(?=[^>]*\bBuildName\s*=)")
RECORDS = frozenset({"Test", "Testing"})
OUTCOMES: dict[str, Outcome] = {"passed": "passed", "failed": "failed"}
USED = {
    "Execution Time",
    "Completion Status",
    "Exit Code",
    "Exit Value",
    "Command Line",
    "Fail Reason",
    "Processors",
    "Environment",
}


def parse(path: Path) -> Iterator[Case]:
    count, site = 0, ""
    for ancestors, element in xml_input.records(excerpts.read(path), RECORDS.__contains__):
        if xml_input.name(element) == "Testing":
            continue
        if element.get("Status") is not None:  # the others are the list of names
            site = ancestors[0].get("BuildName") or FORMAT
            count += 1
            yield _case(site, element)
    if not count:
        raise Unreadable("has no test of CTest")


def _case(site: str, element: etree._Element) -> Case:
    results = child(element, "Results")
    measures = {} if results is None else dict(map(_measurement, children(results, "NamedMeasurement")))
    status, completion = element.get("Status") or "", measures.get("Completion Status", "")
    outcome = OUTCOMES.get(status, "error")
    if status == "notrun" and junit_case.SKIPPED_BY_CTEST.match(completion):
        outcome = "skipped"
    reason = joined([measures.get("Fail Reason", ""), measures.get("Exit Code", ""), completion])
    nuance: Nuance = "timeout" if outcome == "failed" and "timeout" in reason.lower() else ""
    output = "" if results is None else _output(child(results, "Measurement", "Value"))
    labels = [text(each) for group in children(element, "Labels") for each in group]
    more = [property_line(name, value) for name, value in measures.items() if name not in USED]
    more += [property_line("labels", " ".join(labels))] if labels else []
    unknown = f"unknown status: {status}" if status not in {*OUTCOMES, "notrun"} else ""
    return Case(
        suite=FORMAT, classname=site, name=text(child(element, "Name")) or "(unnamed)", outcome=outcome, nuance=nuance,
        seconds=junit_case.seconds(measures.get("Execution Time")),
        message="" if outcome == "passed" else unknown or first_line(reason) or status,
        evidence=output if outcome in {"failed", "error"} else "",
        output=joined([*more, output if outcome in {"passed", "skipped"} else ""]),
    )  # fmt: skip


def _measurement(element: etree._Element) -> tuple[str, str]:
    return element.get("name") or "", text(child(element, "Value")).strip()


def _output(value: etree._Element | None) -> str:
    if value is None:
        return ""
    if value.get("encoding") != "base64":
        return text(value).strip("\n")
    try:
        data = base64.b64decode(text(value))
        if value.get("compression") == "gzip":
            data = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, excerpts.LONGEST_EVIDENCE)
    except (binascii.Error, zlib.error):
        return "(output that cannot be decoded)"
    return excerpts.decoded(data).strip("\n")
