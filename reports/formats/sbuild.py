"""sbuild's logs: a case for each stage of the build, and for each check that sbuild ran after it.

`lab.results.sbuild_log` decides the verdict, as it does for the step; an infrastructure error is an ``error`` with the
nuance ``testbed``.  Of several builds of a package for an architecture in one log, the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lab.results import sbuild_log
from lab.results.cases import Case, Nuance
from lab.results.sbuild_log import HEADING, Reading
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = "sbuild"
MARK = re.compile(
    rb"^sbuild \(Debian sbuild\) |^(?:\||\xe2\x94\x82) Summary (?:.*)(?:\||\xe2\x94\x82)\n\S+\n\nBuild[ -][A-Z]",
    re.MULTILINE,
)
CHECKS = ("Lintian", "Piuparts", "Autopkgtest")
GOOD = frozenset({"pass", "info", "warn", "skipped", "no tests"})


def parse(path: Path) -> Iterator[Case]:
    log = excerpts.text(path)
    if not sbuild_log.is_log(log):
        raise Unreadable("is not an sbuild log: it has neither the first line nor the summary")
    builds = sbuild_log.builds(sbuild_log.with_plain_headings(log))
    for build in {sbuild_log.subject(build): build for build in builds}.values():
        yield from _of_build(build)


def _of_build(log: str) -> Iterator[Case]:
    reading = sbuild_log.read(log)
    package = reading.package or FORMAT
    for stage in reading.passed_stages:
        yield Case(
            suite=FORMAT, classname=package, name=stage, outcome="passed", seconds=reading.seconds(stage)
        )  # fmt: skip
    if reading.verdict != "passed":
        yield _failure(package, reading)
    for check in CHECKS:
        if result := reading.summary.get(check, ""):
            yield _check(package, check.lower(), result, log)


def _failure(package: str, reading: Reading) -> Case:
    nuance: Nuance = "testbed" if reading.verdict == "error" else "timeout" if reading.timed_out else ""
    return Case(
        suite=FORMAT, classname=package, name=reading.stage, outcome=reading.verdict, nuance=nuance,
        seconds=reading.seconds(reading.stage), message=reading.message, evidence=reading.evidence,
    )  # fmt: skip


def _check(package: str, check: str, result: str, log: str) -> Case:
    output = "" if result in GOOD else log.rpartition(f"\nRunning {check}...\n")[2]
    evidence = excerpts.tail(HEADING.split(output, maxsplit=1)[0].strip("\n"))
    outcome = "passed" if result in GOOD else "failed"
    return Case(suite=FORMAT, classname=package, name=check, outcome=outcome, message=result, evidence=evidence)
