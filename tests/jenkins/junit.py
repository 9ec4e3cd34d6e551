"""A test report as Jenkins shows it, from the JUnit XML that it was given."""

from __future__ import annotations

from typing import Any

from lxml import etree

from tests.jenkins.tree import Bean


def counts(report: str | bytes) -> dict[str, int]:
    """Failed, skipped and all cases, by the names that Jenkins gives the numbers."""
    cases = [case for suite in report_bean(report, 1).fields["suites"] for case in suite.fields["cases"]]
    status = [case.fields["status"] for case in cases]
    return {"failCount": status.count("FAILED"), "skipCount": status.count("SKIPPED"), "totalCount": len(cases)}


def report_bean(report: str | bytes, number: int) -> Bean:
    """The report of build ``number``."""
    root = etree.fromstring(report.encode() if isinstance(report, str) else report)
    suites = [_suite(suite, number) for suite in root.iter("testsuite")]
    status = [case.fields["status"] for suite in suites for case in suite.fields["cases"]]
    return Bean(
        "hudson.tasks.junit.TestResult",
        {
            "testActions": [],
            "duration": sum(suite.fields["duration"] for suite in suites),
            "empty": not status,
            "failCount": status.count("FAILED"),
            "passCount": status.count("PASSED"),
            "skipCount": status.count("SKIPPED"),
            "suites": suites,
        },
    )


def _suite(suite: etree._Element, number: int) -> Bean:
    cases = [_case(case, number) for case in suite.iterfind("testcase")]
    return Bean(
        "",
        {
            "cases": cases,
            "duration": sum(case.fields["duration"] for case in cases),
            "enclosingBlockNames": [],
            "enclosingBlocks": [],
            "id": None,
            "name": suite.get("name"),
            "nodeId": None,
            "properties": {},
            "stderr": suite.findtext("system-err"),
            "stdout": suite.findtext("system-out"),
            "timestamp": suite.get("timestamp"),
        },
    )


def _case(case: etree._Element, number: int) -> Bean:
    trouble, skipped = case.find("failure"), case.find("skipped")
    if trouble is None:
        trouble = case.find("error")
    failed = trouble is not None
    fields: dict[str, Any] = {
        "testActions": [],
        "age": int(failed),
        "className": case.get("classname"),
        "duration": float(case.get("time", "0")),
        "errorDetails": trouble.get("message") if trouble is not None else None,
        "errorStackTrace": trouble.text if trouble is not None else None,
        "failedSince": number if failed else 0,
        "name": case.get("name"),
        "properties": {},
        "skipped": skipped is not None,
        "skippedMessage": skipped.get("message") if skipped is not None else None,
        "status": "FAILED" if failed else "SKIPPED" if skipped is not None else "PASSED",
        "stderr": case.findtext("system-err"),
        "stdout": case.findtext("system-out"),
    }
    return Bean("", fields)
