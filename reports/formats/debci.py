"""debci's JSON about runs: one (``latest.json``, ``result.json``) or several (``history.json``, ``packages.json``).

The statuses are those of ``Debci::Job.status``: pass, fail, neutral (no tests, or all skipped), tmpfail (the testbed).
A run without a status has not ended.  Of several runs of a package on one suite and architecture the newest, by
``run_id`` or ``date``, is the case, and the others are its output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts, junit_case
from reports.formats.excerpts import Unreadable

FORMAT = "debci"
MARK = re.compile(rb'\A\s*(?:\[\s*)?\{(?=[^{}]*"run_id"\s*:)(?=[^{}]*"status"\s*:)(?=[^{}]*"package"\s*:)')
STATUSES: Mapping[str, tuple[Outcome, Nuance]] = {
    "pass": ("passed", ""),
    "fail": ("failed", ""),
    "neutral": ("skipped", ""),
    "tmpfail": ("error", "testbed"),
}
Run = Mapping[str, Any]


def parse(path: Path) -> Iterator[Case]:
    try:
        data = json.loads(excerpts.read(path))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON: {error}") from None
    runs = data if isinstance(data, list) else [data]
    if not runs or not all(isinstance(run, dict) and "package" in run and "status" in run for run in runs):
        raise Unreadable("is JSON, but not from debci")
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(str(run.get(key) or "") for key in ("package", "suite", "arch")), []).append(run)
    for (package, suite, arch), of_group in groups.items():
        *earlier, newest = sorted(of_group, key=_age)
        yield _case(package, "/".join(filter(None, (suite, arch))), newest, earlier)


def _age(run: Run) -> tuple[int, str]:
    number = str(run.get("run_id") or "")
    return int(number) if number.isascii() and number.isdecimal() else 0, f"{run.get('date')} {number}"


def _case(package: str, place: str, run: Run, earlier: list[Run]) -> Case:
    status = run.get("status")
    outcome, nuance = STATUSES.get(str(status), ("error", ""))
    message = str(run.get("message") or "")
    if status is None:
        message = "the run has not ended"
    elif status not in STATUSES:
        message = f"unknown status: {status}"
    seconds = run.get("duration_seconds")
    lines = [
        f"{old.get('run_id')}: {old.get('version')}: {old.get('status')}: {old.get('message') or ''}" for old in earlier
    ]
    facts = [junit_case.property_line(key, str(run[key])) for key in ("version", "trigger", "run_id") if run.get(key)]
    return Case(
        suite=FORMAT, classname=package, name=place or "autopkgtest", outcome=outcome, nuance=nuance, message=message,
        seconds=junit_case.seconds(str(seconds or "")), output="\n".join([*reversed(lines), *facts]),
        started=junit_case.moment(str(run.get("date") or "")),
    )  # fmt: skip
