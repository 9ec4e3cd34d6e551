"""Meson's ``meson-logs/testlog.json``: a line of JSON for each test.

The results are those of ``mesonbuild.mtest.TestResult``; another word is an error.  Meson's ``testlog.junit.xml`` does not
have them all: there a timeout, an unexpected success and an interrupted test are tests without a result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.results.cases import Case, Nuance, Outcome
from lab.store.records import rfc3339
from reports.formats import excerpts, junit_case
from reports.formats.excerpts import Unreadable

FORMAT = "meson"
MARK = re.compile(rb'\A\{"name": "(?:[^"\\\n]|\\.)*+", "stdout": "')
RESULTS: Mapping[str, tuple[Outcome, Nuance]] = {
    "OK": ("passed", ""),
    "SKIP": ("skipped", ""),
    "IGNORED": ("skipped", ""),
    "EXPECTEDFAIL": ("skipped", "expected-failure"),
    "FAIL": ("failed", ""),
    "TIMEOUT": ("failed", "timeout"),
    "UNEXPECTEDPASS": ("failed", "unexpected-success"),
    "ERROR": ("error", ""),
    "INTERRUPT": ("error", ""),
}


def parse(path: Path) -> Iterator[Case]:
    for line in filter(str.strip, excerpts.text(path).split("\n")):
        try:
            test = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"has a line that is not JSON: {error}") from None
        if not isinstance(test, dict) or "name" not in test or "result" not in test:
            raise Unreadable("has a line that is no test of Meson")
        yield _case(test)


def _case(test: Mapping[str, Any]) -> Case:
    project, slash, name = str(test["name"]).partition(" / ")
    word = str(test["result"])
    outcome, nuance = RESULTS.get(word, ("error", ""))
    code = test.get("returncode")
    reason = word.lower()
    if isinstance(code, int):
        reason += f", exit status {code}" if code >= 0 else f", signal {-code}"
    return Case(
        suite=FORMAT, classname=project if slash else FORMAT, name=name or project, outcome=outcome, nuance=nuance,
        seconds=junit_case.seconds(str(test.get("duration") or "")), message="" if outcome == "passed" else reason,
        output=str(test.get("stdout") or ""), errors=str(test.get("stderr") or ""), started=_started(test.get("starttime")),
    )  # fmt: skip


def _started(seconds: object) -> str:
    try:
        return rfc3339(datetime.fromtimestamp(float(seconds), UTC)) if isinstance(seconds, int | float) else ""
    except (ValueError, OverflowError, OSError):
        return ""
