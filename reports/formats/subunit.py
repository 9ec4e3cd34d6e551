"""subunit, v1 (lines) or v2 (packets): which of the two is told by the content.

The reader is our own. python-subunit 1.4.6 was tried on all our test data: of version 2 it is as good and a quarter
slower until a length is damaged, which costs it the packets after; of version 1 it raises at a time that Perl's emitter
writes and at a name that is not UTF-8, and loses results without a ``test:`` line and those that are cut short.
A test that began and did not end, or was listed and never began, is an error.

Beside a stream there may be a file that says which of its tests are known to fail: a JSON object of reasons by test
id, called as the stream is with ``.known.json`` behind it.  One of them that fails is skipped, as expected; one that
did not end is an error nevertheless, and so is damage.
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
from lab.results.subunit import Damage, Test
from lab.store.records import rfc3339
from reports.formats import excerpts, subunit_v1
from reports.formats.excerpts import Unreadable

FORMAT = "subunit"
MARK = re.compile(
    rb"\xb3[\x20-\x2f][\x00-\xff]{6}|^(?:test|testing|success|successful|xfail|uxsuccess): \S", re.MULTILINE
)
NUANCES: dict[str, Nuance] = {"xfail": "expected-failure", "uxsuccess": "unexpected-success"}
TIMEOUT = re.compile(r"\b\w*Time(?:d)?Out\w*(?:Error|Exception)?\b|\bfixtures\._fixtures\.timeout\b", re.IGNORECASE)
Attachments = dict[str, str]


def parse(path: Path) -> Iterator[Case]:
    data, known = excerpts.read(path), _known(path.with_name(f"{path.name}.known.json"))
    first = 0
    for found in packets.tests(data) if packets.is_it(data) else subunit_v1.tests(data):
        first += 1
        if isinstance(found, Damage):
            yield Case(suite=FORMAT, classname=path.name, name="[damaged]", outcome="error", message=str(found))
        else:
            has_ended = found.status in subunit_results.OUTCOMES
            yield _marked(_case(found), known.get(found.id, "") if has_ended else "")
    if not first and data.strip():
        raise Unreadable("has not one test of subunit in it, neither of version 1 nor of 2")


def _known(path: Path) -> dict[str, str]:
    """Reasons of known failures by test; none when there is no such file."""
    if not path.exists():
        return {}
    try:
        return TypeAdapter(dict[str, str]).validate_json(excerpts.read(path))
    except ValidationError:
        raise Unreadable(f"has a {path.name} beside it that is no object of reasons by test") from None


def _marked(case: Case, reason: str) -> Case:
    """A case as it counts when it is known to fail; ``reason`` is "" when it is not."""
    if reason and case.outcome in {"failed", "error"}:
        message = f"known failure: {reason}"
        return case.model_copy(update={"outcome": "skipped", "nuance": "expected-failure", "message": message})
    if reason and case.outcome == "passed":
        return case.model_copy(update={"nuance": "unexpected-success", "message": f"known to fail: {reason}"})
    return case


def _case(test: Test) -> Case:
    classname, name = packets.names(test.id)
    files = {name: _readable(mime, bytes(content)) for name, (mime, content) in test.files.items()}
    outcome, nuance, message, evidence = _result(test.status, files)
    if outcome in {"failed", "error"} and TIMEOUT.search(message):
        nuance = "timeout"
    errors = files.pop("stderr", "")
    output = [
        excerpts.decoded(bytes(test.noise)),
        files.pop("stdout", ""),
        *(f"{name}:\n{text}" for name, text in files.items() if text.strip()),
    ]
    return Case(
        suite=FORMAT,
        classname=classname or FORMAT,
        name=name,
        outcome=outcome,
        nuance=nuance,
        seconds=max(0.0, (test.ended - test.began).total_seconds()) if test.began and test.ended else 0.0,
        message=message,
        evidence=evidence,
        output="\n".join(filter(None, (text.strip("\n") for text in output))),
        errors=errors,
        started=_moment(test.began),
    )


def _result(status: str, files: Attachments) -> tuple[Outcome, Nuance, str, str]:
    """Outcome, nuance, message and evidence; what became one of these is no attachment any more."""
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
    if mime and not mime.startswith("text/"):
        return f"({len(content)} bytes of {mime})"
    return excerpts.decoded(content)


def _moment(moment: datetime | None) -> str:
    return rfc3339(moment) if moment else ""
