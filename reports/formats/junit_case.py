"""A ``testcase`` of JUnit XML, and the earlier tries in it.

The elements are those that the junit plugin of Jenkins and surefire know (``error``, ``failure``, ``skipped``,
``system-out``, ``system-err``, ``properties``, ``rerunFailure`` ...), and PHPUnit's ``warning``, which fails its run.
Without one of them the attributes ``status``, ``result`` and ``success`` decide; an unknown word there is an error.
Eclipse's ``incomplete`` is a test that did not end.

Everything else is kept as text: properties and other attributes (``file``, ``line``, ``assertions``) are lines
``[[PROPERTY|name=value]]`` at the end of the output; a type of exception, and further failures of the same test, are
part of the evidence; other elements are output.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast, get_args

from lxml import etree

from lab.base.text import first_line
from lab.results.cases import Case, Nuance, Outcome
from lab.store.records import rfc3339
from reports.formats import xml_input

NUANCES: tuple[Nuance, ...] = get_args(Nuance)
WORDS = ("passed", *filter(None, NUANCES))
# Lines such as "[superficial] message" before a blank line, or alone.
HEAD = re.compile(rf"\[({'|'.join(WORDS)})\] [^\n]*(?:\n\[\1\] [^\n]*)*(?:\n\n|\Z)")
RESULTS: dict[str, Outcome] = {"error": "error", "failure": "failed", "warning": "failed", "skipped": "skipped"}
# What else writers call them; Jenkins takes these tests for passed.
ALIASES: Mapping[str, str] = {
    **{name: name for name in RESULTS}, "errors": "error", "failures": "failure", "fail": "failure", "failed": "failure",
    **dict.fromkeys(("exception", "fatal", "timeout", "aborted", "crash", "crashed"), "error"), "skip": "skipped",
}  # fmt: skip
TRIES: dict[str, Outcome] = {
    "flakyFailure": "failed",
    "flakyError": "error",
    "rerunFailure": "failed",
    "rerunError": "error",
}
OTHERS = frozenset({"system-out", "system-err", "properties"})
# nose2 writes a test that was expected to fail as skipped, also if it passed: then unittest fails.
UNEXPECTED = "test passes unexpectedly"
# Catch2 writes the failures of a test that may fail.
MAY_FAIL = "TEST_CASE tagged with !mayfail"
FOREIGN: tuple[tuple[re.Pattern[str], Nuance], ...] = (
    (re.compile(rf"pytest\.xfail\b|expected test failure$|{MAY_FAIL}$"), "expected-failure"),
    (
        re.compile(rf".*UnexpectedSuccess\b|\[XPASS\(strict\)\]|Test unexpected(?:ly)? passed\.|{UNEXPECTED}$"),
        "unexpected-success",
    ),
    (
        re.compile(r"\S*Time(?:d)?Out|Failed: Timeout |Test did not finish before configured timeout", re.IGNORECASE),
        "timeout",
    ),
    (re.compile(r"todo\b"), "todo"),
)
# The words of gtest, CTest, CUnit, Check, tst, NUnit and others.
STATUSES: Mapping[str, Outcome] = {
    **dict.fromkeys(("", "run", "completed", "passed", "pass", "ok", "success", "successful", "succeeded", "executed",
                     "finished", "done", "true"), "passed"),
    **dict.fromkeys(("notrun", "not_run", "disabled", "skipped", "skip", "suppressed", "ignored", "ignore", "pending",
                     "todo", "inconclusive"), "skipped"),
    **dict.fromkeys(("fail", "failed", "failure", "broken", "false"), "failed"),
    **dict.fromkeys(("error", "errored", "timeout", "aborted", "crashed", "unknown"), "error"),
}  # fmt: skip
USED = frozenset({"name", "classname", "class", "time", "timestamp", "status", "result"})
# CTest's `notrun` is also a test whose program is missing, or whose fixture failed: ctest fails then.
SKIPPED_BY_CTEST = re.compile(r"Disabled$|SKIP_|Skipped", re.IGNORECASE)
NAMELESS = "(unnamed)"
VALUES = ("expected", "actual")
FLAGS = ("incomplete", "disabled", "ignored", "skipped")
EARLIEST_YEAR = 1980  # an earlier time is a clock that was not set


def plain(suite: str, element: etree._Element) -> Case | None:
    """Return a test that passed and says nothing, as most do, in a fraction of the time; None for any other."""
    if len(element):
        return None
    name = classname = ""
    duration = None
    for key, value in cast("list[tuple[str, str]]", element.items()):
        if key == "name":
            name = value
        elif key == "classname":
            classname = value
        elif key == "time":
            duration = value
        else:
            return None
    return Case(
        suite=suite, classname=classname or suite, name=name or NAMELESS, outcome="passed", seconds=seconds(duration)
    )


def cases(suite: str, element: etree._Element) -> list[Case]:
    """Return a test and its earlier tries."""
    attributes = cast("dict[str, str]", dict(element.items()))
    shared = {
        "suite": suite,
        "classname": attributes.get("classname") or attributes.get("class") or suite,
        "name": attributes.get("name") or NAMELESS,
    }
    parts = parts_of(element)
    tries = [child for child in element if xml_input.name(child) in TRIES]
    output, errors = texts(parts.get("system-out")), texts(parts.get("system-err"))
    outcome, nuance, message, evidence = _outcome(attributes, parts)
    if outcome == "passed" and (head := HEAD.match(output)):
        nuance, message, output = _headed(head, output)
    elif outcome == "passed" and tries:
        nuance = "flaky"
        if all(
            xml_input.name(each).startswith("rerun") for each in tries
        ):  # surefire's for a test that failed each time
            outcome, nuance, message = "failed", "", "each run of it failed"
    is_unrun = outcome == "skipped" and "skipped" not in parts  # gtest: with a date in 1970
    case = Case(
        **shared, outcome=outcome, nuance=nuance, seconds=seconds(attributes.get("time")), message=message,
        evidence=evidence, output=joined([output, *_more(attributes, parts, message)]), errors=errors,
        started="" if is_unrun else moment(attributes.get("timestamp")),
    )  # fmt: skip
    return [case, *(_try(shared, earlier) for earlier in tries)]


def _outcome(
    attributes: Mapping[str, str], parts: Mapping[str, list[etree._Element]]
) -> tuple[Outcome, Nuance, str, str]:
    """Return the outcome, nuance, message and evidence."""
    kinds = [kind for kind in RESULTS if kind in parts]
    if any(each.get("type") == "todo" or each.get("message") == MAY_FAIL for each in parts.get("skipped", ())):
        return "skipped", *result("skipped", [each for kind in reversed(kinds) for each in parts[kind]])
    if kinds:
        kept = (
            kinds[:1] if kinds[-1] == "skipped" and len(kinds) == 1 else [kind for kind in kinds if kind != "skipped"]
        )
        elements = [each for kind in kept for each in parts[kind]]
        found = RESULTS[kept[0]]
        found = _skipped(attributes, elements[0].get("message") or "") if found == "skipped" else found
        return found, *result(found, elements)
    outcome, message = next(_by_attributes(attributes), ("passed", ""))
    return outcome, "", message, ""


def _by_attributes(attributes: Mapping[str, str]) -> Iterator[tuple[Outcome, str]]:
    """Yield an outcome and a message for each attribute that says that a test did not pass."""
    told = {key: value.strip() for key, value in attributes.items()}
    for word in ("status", "result"):
        status = told.get(word, "")
        outcome = STATUSES.get(status.lower())
        if outcome is None:
            yield "error", f"unknown {word}: {status}"
        elif outcome != "passed":
            yield outcome, status.lower() if outcome == "skipped" else f"{word}: {status}"
    for word in ("outcome", "state"):  # of no writer that is known: a good or strange word says nothing
        outcome = STATUSES.get(told.get(word, "").lower(), "passed")
        if outcome in {"failed", "error"}:
            yield outcome, f"{word}: {told[word]}"
    for word in ("success", "passed"):
        if told.get(word, "").lower() in {"false", "no", "0"}:
            yield "failed", f"{word}: {told[word]}"
    for flag in FLAGS:
        if told.get(flag, "").lower() in {"true", "1"}:
            yield ("error", "it did not end") if flag == "incomplete" else ("skipped", flag)


def _skipped(attributes: Mapping[str, str], message: str) -> Outcome:
    """Return the outcome of a test that is written as skipped; a class that is the test's name is CTest's."""
    if message == UNEXPECTED:
        return "failed"
    is_of_ctest = attributes.get("status") == "notrun" and attributes.get("classname") == attributes.get("name")
    return "error" if is_of_ctest and message and not SKIPPED_BY_CTEST.match(message) else "skipped"


def result(outcome: Outcome, elements: Sequence[etree._Element]) -> tuple[Nuance, str, str]:
    """Return the nuance, message and evidence of the elements of a result."""
    first, *others = elements
    kind, message = first.get("type") or "", first.get("message") or ""
    evidence = _text(first)
    others_text = [told for each in others if (told := _with_kind(each, each.get("message") or ""))]
    if kind and (kind in NUANCES or kind == outcome):
        nuance = cast("Nuance", "" if kind == outcome else kind)
        text = message if message != kind else ""
        return nuance, text or ("" if message else first_line(evidence)), joined([evidence, *others_text])
    nuance = next((name for pattern, name in FOREIGN if pattern.match(kind) or pattern.match(message)), "")
    shown = message or first_line(evidence) or kind
    is_told = outcome == "skipped" or kind in {shown, xml_input.name(first)} or bool(nuance)
    return nuance, shown, joined([evidence if is_told else _with_kind(first, ""), *others_text])


def _text(element: etree._Element) -> str:
    """Return the text of a result; Eclipse writes what was expected and found in elements before the trace."""
    values = [each for each in element if xml_input.name(each) in VALUES]
    if not values:
        return xml_input.text(element)
    trace = joined([(element.text or "").strip("\n"), *((each.tail or "").strip("\n") for each in element)])
    return joined([trace, *(f"{xml_input.name(each)}: {xml_input.text(each)}" for each in values)])


def _with_kind(element: etree._Element, message: str) -> str:
    """Return the text of a result, after its type and message where the text does not have them."""
    text, kind = _text(element), element.get("type") or ""
    missing = [part for part in (kind, message) if part and part not in text]
    return joined([": ".join(missing), text])


def joined(texts: Iterable[str]) -> str:
    return "\n".join(text for text in texts if text)


def _more(attributes: Mapping[str, str], parts: Mapping[str, list[etree._Element]], message: str) -> Iterator[str]:
    """Yield what has no field in a case; node repeats the message in an attribute."""
    for kind, elements in parts.items():
        if kind not in RESULTS and kind not in TRIES and kind not in OTHERS:
            yield from (f"{kind}: {text}" for each in elements if (text := xml_input.text(each).strip()))
    for properties in parts.get("properties", ()):
        yield from properties_of(properties)
    more = ((key, value) for key, value in attributes.items() if key not in USED and value != message)
    yield from (property_line(key, value) for key, value in more)


def properties_of(element: etree._Element) -> Iterator[str]:
    """Yield a line for each property."""
    for each in element:
        if xml_input.name(each) == "property":
            yield property_line(each.get("name") or "", each.get("value") or xml_input.text(each).strip())


def property_line(name: str, value: str) -> str:
    """Return a property in the form that JUnit files have for the output of a test."""
    return f"[[PROPERTY|{name}={value}]]"


def _try(shared: Mapping[str, str], earlier: etree._Element) -> Case:
    outcome = TRIES[xml_input.name(earlier)]
    parts = parts_of(earlier)
    text = earlier.text if parts else xml_input.text(earlier)
    kind, message = earlier.get("type") or "", earlier.get("message")
    return Case(
        **shared, outcome=outcome, nuance="rerun",
        message="" if message == kind == outcome else message or first_line(text or "") or kind,
        evidence=texts(parts.get("stackTrace")) or text or "",
        output=texts(parts.get("system-out")), errors=texts(parts.get("system-err")),
    )  # fmt: skip


def parts_of(element: etree._Element) -> dict[str, list[etree._Element]]:
    """Return an element's children by name; those of a result by its usual name."""
    parts: dict[str, list[etree._Element]] = {}
    for child in element:
        name = xml_input.name(child)
        parts.setdefault(name if name in OTHERS else ALIASES.get(name.lower(), name), []).append(child)
    return parts


def _headed(head: re.Match[str], output: str) -> tuple[Nuance, str, str]:
    word = head[1]
    prefix = f"[{word}] "
    lines = head[0].removesuffix("\n\n").split("\n")
    message = "\n".join(line.removeprefix(prefix) for line in lines)
    return cast("Nuance", "" if word == "passed" else word), message, output[head.end() :]


def texts(elements: Sequence[etree._Element] | None) -> str:
    return joined(map(xml_input.text, elements)) if elements else ""


def seconds(text: str | None) -> float:
    """Return a duration; 0.0 for none."""
    try:
        duration = float(text.replace(",", "") if text else 0)
    except ValueError:
        return 0.0
    return duration if math.isfinite(duration) and duration > 0 else 0.0


def moment(text: str | None) -> str:
    """Return a moment as RFC 3339, "" for none; without a zone it is UTC."""
    if not text:
        return ""
    try:
        parsed = datetime.fromisoformat(text)
        told = rfc3339(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return ""
    return told if parsed.year >= EARLIEST_YEAR else ""


def count(text: str | None) -> int:
    """Return a number of tests; 0 for none."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 - digits
