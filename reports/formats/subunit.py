"""subunit of version 1 (lines) or 2 (packets); the content decides which.

The reader is qalab's own.  python-subunit 1.4.6 was tried on all test data.  For version 2 it is equally good and a
quarter slower, until a damaged length makes it lose the packets that follow.  For version 1 it raises for a time that
Perl's emitter writes and for a name that is not UTF-8, and it loses results without a ``test:`` line and truncated ones.
A test that began and did not end, or was listed and never began, is an error.

Tags are a line ``[[PROPERTY|tags=...]]`` at the end of the output, without stestr's ``worker-N``, which is another one
in each run.  An attachment is text if its type is (``text/*``, JSON, XML, YAML), in its charset.  A file of no test is
a case: an error if it has a traceback, or ``error`` in its name (the import errors of discovery), else skipped.

A file next to a stream can list its known failures: a JSON object of reasons by test id, in ``STREAM.known.json``.  A
known failure that fails is skipped, as expected.  A test that did not end, and damage, are errors nevertheless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from lab.results import subunit as packets
from lab.results import subunit_results
from lab.results.cases import Case, Nuance, Outcome
from lab.results.subunit import Damage, Stray, Test
from lab.store.records import rfc3339
from reports.formats import excerpts, subunit_v1
from reports.formats.excerpts import Unreadable
from reports.formats.junit_case import property_line

FORMAT = "subunit"
# A result alone, "success: 23", can be anybody's: it needs its test, or the stream its clock or its beginning.
LINES = re.compile(
    rb"\A(?:test|testing): \S|^time: \d{4}-\d\d-\d\d[ T]\d\d:"
    rb"|^(?:test|testing):? (\S.*)\n(?:.*\n){0,99}?(?:success|successful|failure|error|skip|xfail|uxsuccess):? \1(?: \[.*)?$",
    re.MULTILINE,
)


class _StreamMark:
    """A line of version 1, or a packet with a right checksum: its first byte is also the end of a letter in UTF-8."""

    def search(self, data: bytes) -> bool:
        return packets.is_it(data) or bool(LINES.search(data))


MARK = _StreamMark()
NUANCES: dict[str, Nuance] = {"xfail": "expected-failure", "uxsuccess": "unexpected-success"}
TIMEOUT = re.compile(r"\b\w*Time(?:d)?Out\w*(?:Error|Exception)?\b|\bfixtures\._fixtures\.timeout\b", re.IGNORECASE)
TEXTUAL = re.compile(r"text/|application/(?:[\w.+-]+\+)?(?:json|xml|yaml|x-yaml)\b", re.IGNORECASE)
CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)
WORKER = re.compile(r"worker-\d+")
Attachments = dict[str, str]


def parse(path: Path) -> Iterator[Case]:
    data, known = excerpts.read(path), _known(path.with_name(f"{path.name}.known.json"))
    count = 0
    for item in packets.tests(data) if packets.is_it(data) else subunit_v1.tests(data):
        count += 1
        if isinstance(item, Damage):
            yield Case(suite=FORMAT, classname=path.name, name="[damaged]", outcome="error", message=str(item))
        elif isinstance(item, Stray):
            yield from _strays(path.name, item)
        else:
            is_known = item.id in known and item.status in subunit_results.OUTCOMES
            yield _marked(_case(item), known[item.id]) if is_known else _case(item)
    if not count and data.strip():
        raise Unreadable("has no subunit test of version 1 or 2")


def _strays(stream: str, stray: Stray) -> Iterator[Case]:
    """Yield a case for each file of no test."""
    for name, (mime, content) in stray.files.items():
        text = _readable(mime, bytes(content))
        is_error = subunit_results.is_broken(name, text)
        yield Case(
            suite=FORMAT, classname=stream, name=f"[{name}]", outcome="error" if is_error else "skipped",
            message=packets.complaint(text) if is_error else "a file of no test",
            evidence=text if is_error else "", output="" if is_error else text,
        )  # fmt: skip


def _known(path: Path) -> dict[str, str]:
    """Read the reasons of known failures by test; none if the file is missing."""
    if not path.exists():
        return {}
    try:
        return TypeAdapter(dict[str, str]).validate_json(excerpts.read(path))
    except ValidationError:
        raise Unreadable(f"has a {path.name} next to it that is not an object of reasons by test") from None


def _marked(case: Case, reason: str) -> Case:
    """Return the case of a known failure; ``reason`` is "" for any other test."""
    if reason and case.outcome in {"failed", "error"}:
        message = f"known failure: {reason}"
        return case.model_copy(update={"outcome": "skipped", "nuance": "expected-failure", "message": message})
    if reason and case.outcome == "passed":
        return case.model_copy(update={"nuance": "unexpected-success", "message": f"known to fail: {reason}"})
    return case


def _case(test: Test) -> Case:
    classname, name = packets.names(test.id)
    seconds = max(0.0, (test.ended - test.began).total_seconds()) if test.began and test.ended else 0.0
    if test.status == "success" and not (test.files or test.noise or test.tags):  # most tests: half of the time
        return Case(
            suite=FORMAT, classname=classname or FORMAT, name=name, outcome="passed", seconds=seconds,
            started=_moment(test.began),
        )  # fmt: skip
    files = {name: _readable(mime, bytes(content)) for name, (mime, content) in test.files.items()}
    outcome, nuance, message, evidence = _result(test.status, files)
    if outcome in {"failed", "error"} and TIMEOUT.search(message):
        nuance = "timeout"
    errors = files.pop("stderr", "")
    return Case(
        suite=FORMAT,
        classname=classname or FORMAT,
        name=name,
        outcome=outcome,
        nuance=nuance,
        seconds=seconds,
        message=message,
        evidence=evidence,
        output=_output(test, files) if files or test.noise or test.tags else "",
        errors=errors,
        started=_moment(test.began),
    )


def _output(test: Test, files: Attachments) -> str:
    """Return what a test says besides its result: noise, its other attachments, its tags."""
    tags = " ".join(tag for tag in test.tags if not WORKER.fullmatch(tag))
    output = (
        excerpts.decoded(bytes(test.noise)),
        files.pop("stdout", ""),
        *(f"{name}:\n{text}" for name, text in files.items() if text.strip()),
        property_line("tags", tags) if tags else "",
    )
    return "\n".join(text for each in output if (text := each.strip("\n")))


def _result(status: str, files: Attachments) -> tuple[Outcome, Nuance, str, str]:
    """Return the outcome, nuance, message and evidence; remove from ``files`` the attachments that became one of them."""
    outcome, nuance = subunit_results.outcome(status), NUANCES.get(status, "")
    if status not in subunit_results.OUTCOMES:
        return outcome, nuance, subunit_results.why(status, "", ""), files.pop("traceback", "")
    evidence = files.pop("traceback", "") or files.pop(subunit_v1.DETAILS, "")
    reason = files.pop("reason", "").strip("\n")
    if outcome == "passed":
        return outcome, nuance, reason, ""
    if outcome == "skipped" and evidence and not reason and "\n" not in evidence.strip("\n"):
        return outcome, nuance, evidence.strip("\n"), ""
    return outcome, nuance, subunit_results.why(status, reason, evidence), evidence


def _readable(mime: str, content: bytes) -> str:
    """Return an attachment as text; of one that is no text, its size and type."""
    if mime and not TEXTUAL.match(mime):
        return f"({len(content)} bytes of {mime})"
    charset = CHARSET.search(mime)
    try:
        return content.decode(charset[1] if charset else "utf-8", "backslashreplace").replace("\r\n", "\n")
    except LookupError:
        return excerpts.decoded(content)


def _moment(moment: datetime | None) -> str:
    return rfc3339(moment) if moment else ""
