"""JUnit XML of qalab and of others: pytest (xunit1, xunit2), surefire, gtest, node, bats, subunit2junitxml ...

The XML of qalab is read back unchanged: the ``type`` of a result is the case's nuance, and the output of a passing case
begins with its message and nuance (see `reports.junit`).  Earlier tries (``flakyFailure``, ``rerunFailure``) are cases
of their own with the nuance ``rerun``, after the case that they belong to.  A DOCTYPE is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args

from lxml import etree

from lab.results.cases import Case, Nuance, Outcome
from lab.store.records import rfc3339
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = "junit"
MARK = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->)[\x00-\xff])*-->\s*)*<testsuites?\b|\A(?:\xff\xfe|\xfe\xff)")  # fmt: skip
NUANCES: tuple[Nuance, ...] = get_args(Nuance)
WORDS = ("passed", *filter(None, NUANCES))
# Lines such as "[superficial] message" before a blank line, or alone.
HEAD = re.compile(rf"\[({'|'.join(WORDS)})\] [^\n]*(?:\n\[\1\] [^\n]*)*(?:\n\n|\Z)")
ENCODINGS = re.compile(r"UTF-?(?:8|16(?:LE|BE)?)|(?:US-)?ASCII|ISO-8859-\d+|WINDOWS-125\d", re.IGNORECASE)
RESULTS: dict[str, Outcome] = {"error": "error", "failure": "failed", "skipped": "skipped"}
TRIES: dict[str, Outcome] = {
    "flakyFailure": "failed",
    "flakyError": "error",
    "rerunFailure": "failed",
    "rerunError": "error",
}
FOREIGN: tuple[tuple[re.Pattern[str], Nuance], ...] = (
    (re.compile(r"pytest\.xfail\b"), "expected-failure"),
    (re.compile(r".*UnexpectedSuccess\b|\[XPASS\(strict\)\]"), "unexpected-success"),
    (re.compile(r"\S*Time(?:d)?Out|Failed: Timeout ", re.IGNORECASE), "timeout"),
    (re.compile(r"todo\b"), "todo"),
)


def parse(path: Path) -> Iterator[Case]:
    data = excerpts.read(path)
    stack = [_root(data)] if data.strip() else []
    while stack:
        suite = stack.pop()
        name = ".".join(filter(None, (suite.get("package"), suite.get("name")))) or path.stem
        for element in suite.iterchildren("testcase"):
            yield from _cases(name, element)
        yield from _of_suite(name, suite)
        stack += reversed(list(suite.iterchildren("testsuite")))


def _of_suite(name: str, suite: etree._Element) -> Iterator[Case]:
    """Yield the failure of a suite itself: it could not be loaded (see SuiteResult of Jenkins' junit-plugin)."""
    parts = _parts(suite)
    for kind in ("error", "failure"):
        if elements := parts.get(kind):
            nuance, message, evidence = _result(RESULTS[kind], elements)
            yield Case(
                suite=name, classname=name, name="[suite]", outcome=RESULTS[kind], nuance=nuance, message=message,
                evidence=evidence,
            )  # fmt: skip


def _root(data: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if b"<!DOCTYPE" in data:
            raise Unreadable("has a DOCTYPE, which test results do not need: refused") from None
        raise Unreadable(f"is not well-formed XML: {' '.join((error.msg or 'not even XML').split())}") from None
    info: Any = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise Unreadable("has a DOCTYPE, which test results do not need: refused")
    if not ENCODINGS.fullmatch(info.encoding or "UTF-8"):
        raise Unreadable(f"has the encoding {info.encoding}: refused; use UTF-8")
    if root.tag not in {"testsuites", "testsuite"}:
        raise Unreadable(f"is XML, but not JUnit: its root is <{root.tag}>")
    return root


def _cases(suite: str, element: etree._Element) -> Iterator[Case]:
    """Yield a test and its earlier tries."""
    shared = {
        "suite": suite,
        "classname": element.get("classname") or suite,
        "name": element.get("name") or "(unnamed)",
    }
    parts = _parts(element)
    tries = [child for child in element if child.tag in TRIES] if parts else []
    disabled = element.get("status") in {"notrun", "disabled"}  # of gtest, with a date in 1970, and of CTest
    output, errors = _texts(parts.get("system-out")), _texts(parts.get("system-err"))
    outcome: Outcome = "passed"
    nuance: Nuance = ""
    message = evidence = ""
    if kind := next((kind for kind in RESULTS if kind in parts), ""):
        todo = any(result.get("type") == "todo" for result in parts.get("skipped", ()))
        outcome = "skipped" if todo else RESULTS[kind]
        elements = [*parts["skipped"], *parts.get("failure", ())] if todo else parts[kind]
        nuance, message, evidence = _result(outcome, elements)
    elif disabled:
        outcome, message = "skipped", "disabled"
    elif head := HEAD.match(output):
        nuance, message, output = _headed(head, output)
    elif tries:
        nuance = "flaky"
    yield Case(
        **shared, outcome=outcome, nuance=nuance, seconds=_seconds(element.get("time")), message=message,
        evidence=evidence, output=output, errors=errors, started="" if disabled else _moment(element.get("timestamp")),
    )  # fmt: skip
    for earlier in tries:
        yield _try(shared, earlier)


def _try(shared: Mapping[str, str], earlier: etree._Element) -> Case:
    outcome = TRIES[str(earlier.tag)]
    _, message, evidence = _result(outcome, [earlier])
    parts = _parts(earlier)
    return Case(
        **shared, outcome=outcome, nuance="rerun", message=message,
        evidence=_texts(parts.get("stackTrace")) or evidence,
        output=_texts(parts.get("system-out")), errors=_texts(parts.get("system-err")),
    )  # fmt: skip


def _parts(element: etree._Element) -> dict[str, list[etree._Element]]:
    """Return an element's children by name."""
    parts: dict[str, list[etree._Element]] = {}
    for child in element:
        parts.setdefault(str(child.tag), []).append(child)
    return parts


def _result(outcome: Outcome, elements: Sequence[etree._Element]) -> tuple[Nuance, str, str]:
    """Return the nuance, message and evidence of the elements of a result."""
    kind, message = elements[0].get("type") or "", elements[0].get("message")
    evidence = _texts(elements)
    if kind and (kind in NUANCES or kind == outcome):
        nuance = cast("Nuance", "" if kind == outcome else kind)
        return nuance, "" if message == kind else message or excerpts.first_line(evidence), evidence
    text = message or ""
    nuance = next((name for pattern, name in FOREIGN if pattern.match(kind) or pattern.match(text)), "")
    return nuance, message or excerpts.first_line(evidence) or kind, evidence


def _headed(head: re.Match[str], output: str) -> tuple[Nuance, str, str]:
    word = head[1]
    prefix = f"[{word}] "
    lines = head[0].removesuffix("\n\n").split("\n")
    message = "\n".join(line.removeprefix(prefix) for line in lines)
    return cast("Nuance", "" if word == "passed" else word), message, output[head.end() :]


def _texts(elements: Sequence[etree._Element] | None) -> str:
    return "\n".join(element.text for element in elements if element.text) if elements else ""


def _seconds(text: str | None) -> float:
    try:
        seconds = float((text or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _moment(text: str | None) -> str:
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        return rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return ""
