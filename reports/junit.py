"""A run's steps as JUnit XML: junit-xml is the object model, lxml the writer.

A suite is a run, a case is a step; of what was exercised, a suite is an exercise.  Text is made legal XML 1.0 first (a forbidden character shows as
``#x1B``), and a failure always has a message: junit-xml drops one that has none.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from junit_xml import TestCase, TestSuite
from lxml import etree

from lab import files
from lab.records import Record
from lab.store import Run

# Everything outside the Char production of XML 1.0, and the surrogates of undecodable bytes.
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
EVIDENCE_LINES = 60
CASES = "cases"  # the native format of what exercises find: a JSON object a line


def legal(text: str) -> str:
    """Text that XML 1.0 can hold, with what it cannot made visible."""
    return ILLEGAL.sub(lambda match: f"#x{ord(match[0]):02X}", text)


def write(run: Run) -> Path:
    """Write results/junit.xml of a run from its records."""
    path = run.results / "junit.xml"
    files.write_atomic(path, render(run))
    return path


def render(run: Run) -> bytes:
    info = run.info
    suites = {f"{info.track}.{info.component}": [_case(run, record) for record in run.records()]}
    for record in run.records():
        for native in record.native:
            if native.format == CASES:
                suites |= _exercised(run, run.path / native.path)
    root = etree.Element("testsuites")
    for number, (name, cases) in enumerate(suites.items()):
        suite = TestSuite(legal(name), cases, id=info.number + number, timestamp=info.started.split(".")[0] + "Z")
        # Its element tree is its own; only the writing is ours.
        tree = etree.fromstring(ET.tostring(suite.build_xml_doc()))
        del tree.attrib["disabled"]  # what it always writes and the schema refuses
        for element in tree.iter("testsuite", "testcase"):
            element.set("time", f"{float(element.get('time', '0')):.3f}")
        root.append(tree)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _exercised(run: Run, path: Path) -> dict[str, list[TestCase]]:
    """What exercises found, one case a line: by exercise."""
    suites: dict[str, list[TestCase]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        found = json.loads(line)
        name = f"{run.info.track}.{found['suite']}"
        case = TestCase(legal(found["name"]), name, found["seconds"], stdout=legal(found["output"]))
        message = legal(found["message"]) or found["outcome"]
        if found["outcome"] == "failed":
            case.add_failure_info(message, legal(found["output"]), "failed")
        elif found["outcome"] == "error":
            case.add_error_info(message, legal(found["output"]), "error")
        suites.setdefault(name, []).append(case)
    return suites


def _case(run: Run, record: Record) -> TestCase:
    case = TestCase(record.step, f"{record.track}.{record.component}", record.seconds, stdout=legal(record.message))
    message = legal(record.message) or str(record.verdict)
    match record.verdict:
        case "failed" | "unstable":
            case.add_failure_info(message, legal(_evidence(run, record)), record.verdict)
        case "error" | "aborted" | "running":
            case.add_error_info(message, legal(_evidence(run, record)), record.verdict)
        case "skipped":
            case.add_skipped_info(message)
        case "passed":
            pass
    return case


def _evidence(run: Run, record: Record) -> str:
    """The end of the step's log."""
    path = run.path / record.log
    if not path.exists():
        return record.message
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 200 * EVIDENCE_LINES))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-EVIDENCE_LINES:])
