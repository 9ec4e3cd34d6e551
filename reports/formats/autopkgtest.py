"""autopkgtest: the file ``summary`` of its output directory (with ``log`` next to it, for evidence), or its log.

The rules are those of autopkgtest(1), "OUTPUT FORMAT" and "EXIT STATUS":

- A line for each test: its name, blanks, and PASS, FAIL, SKIP, FLAKY or BROKEN with a reason.  Another word in capital
  letters is an error that names it.
- ``*`` instead of a name: no test has this result, for example of a package without tests.
- FLAKY: a skipped case, since autopkgtest does not count it.
- Another line before the reasons for the end of the run is damage: a result can be lost.
- ``FAIL badpkg``, and the lines ``blame:`` and ``badpkg:`` below it: ``bad-package`` (status 12 and 14).
- ``erroneous package:`` is the package's fault; ``testbed failure:`` (16), ``quitting:`` and ``unexpected error:``
  (20) are infrastructure errors.

A log without a summary has the results of the tests that ended, and an infrastructure error.  Of several runs of a
package in one log, the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import autopkgtest_log, excerpts
from reports.formats.autopkgtest_log import ENDS, REASON, RESULT, LoggedTest
from reports.formats.excerpts import Unreadable

FORMAT = "autopkgtest"
MARK = re.compile(
    rb"^(?: *\d+s )?autopkgtest \[\d\d:\d\d:\d\d\]: |^\S+(?<!:) +(?:PASS$|PASS \(superficial\)$|(?:FAIL|SKIP|FLAKY|BROKEN) \S)"
    rb"|^(?:testbed failure|erroneous package|blame|badpkg): |^quitting: unexpected error",
    re.MULTILINE,
)
UNKNOWN = re.compile(r"(\S+) +([A-Z]{4,})(?: .*)?")
KNOWN = (RESULT, REASON, ENDS, UNKNOWN, re.compile(r"\s*"))
KINDS: dict[str, tuple[Outcome, Nuance]] = {
    "PASS": ("passed", ""),
    "FAIL": ("failed", ""),
    "SKIP": ("skipped", ""),
    "FLAKY": ("skipped", "flaky"),
    "BROKEN": ("failed", "bad-package"),  # the control data
}


def parse(path: Path) -> Iterator[Case]:
    for run in autopkgtest_log.runs(excerpts.text(path)):
        yield from _of_run(path, run)


def _of_run(path: Path, text: str) -> Iterator[Case]:
    log_path = path.parent / "log"
    own_log = autopkgtest_log.messages(text)
    log_text = text if own_log else excerpts.text(log_path) if path.name == "summary" and log_path.is_file() else ""
    log = own_log or autopkgtest_log.messages(log_text)
    package = autopkgtest_log.package(log) or FORMAT
    complete, lines = autopkgtest_log.results(log) if own_log else (True, text.replace("\r", "\n").split("\n"))
    tests = autopkgtest_log.tests(log)
    cases = list(_cases(package, lines, tests, excerpts.tail(log_text)))
    yield from cases
    if complete and cases and not any(case.name == "[testbed]" for case in cases):
        yield from _without_result(package, tests, cases)
    if not complete or (own_log and not cases):
        yield _of_testbed(package, "the log ends before its summary", excerpts.tail(log_text))
    elif not cases and text.strip():
        raise Unreadable("is neither a summary nor a log of autopkgtest")
    elif not own_log and (stray := _stray(lines)):
        raise Unreadable(f"has a line that is no result of autopkgtest: {stray[:80]}")


def _stray(lines: Iterable[str]) -> str:
    """Return the first line of a summary that says nothing about a test, "" without one; a reason can have more lines."""
    results = takewhile(lambda line: not (REASON.fullmatch(line) or ENDS.fullmatch(line)), map(str.rstrip, lines))
    return next((line for line in results if not any(pattern.fullmatch(line) for pattern in KNOWN)), "")


def _cases(package: str, lines: list[str], tests: dict[str, LoggedTest], end: str) -> Iterator[Case]:
    seen = set[str]()
    for number, line in enumerate(map(str.rstrip, lines)):
        if line in seen and not REASON.fullmatch(line):
            continue  # the log of a package without tests has its result twice
        seen.add(line)
        if match := RESULT.fullmatch(line):
            reasons = list(takewhile(REASON.fullmatch, lines[number + 1 :]))
            yield _case(package, match, tests.get(match[1], LoggedTest()), reasons)
        elif match := ENDS.fullmatch(line):
            yield (
                _of_package(package, match[1], end)
                if match[1].startswith("err")
                else _of_testbed(package, match[1], end)
            )
        elif match := UNKNOWN.fullmatch(line):
            test = tests.get(match[1], LoggedTest())
            yield Case(
                suite=FORMAT, classname=package, name=match[1], outcome="error", seconds=test.seconds,
                message=f"unknown result: {line.removeprefix(match[1]).strip()}", evidence=test.output,
            )  # fmt: skip


def _without_result(package: str, tests: dict[str, LoggedTest], cases: Iterable[Case]) -> Iterator[Case]:
    """Yield the tests of the log that the summary does not name: the summary is cut short."""
    named = {case.name for case in cases}
    for name, test in tests.items():
        if name not in named:
            yield Case(
                suite=FORMAT, classname=package, name=name, outcome="error", seconds=test.seconds,
                message="it ran, and has no result in the summary", evidence=test.output,
            )  # fmt: skip


def _of_package(package: str, message: str, evidence: str) -> Case:
    return Case(
        suite=FORMAT, classname=package, name="[package]", outcome="failed", nuance="bad-package", message=message,
        evidence=evidence,
    )  # fmt: skip


def _of_testbed(package: str, message: str, evidence: str) -> Case:
    return Case(
        suite=FORMAT, classname=package, name="[testbed]", outcome="error", nuance="testbed", message=message,
        evidence=evidence,
    )  # fmt: skip


def _case(package: str, match: re.Match[str], test: LoggedTest, reasons: list[str]) -> Case:
    name, word, reason = match[1], match[2], match[3] or ""
    outcome, nuance = KINDS[word]
    evidence, output = "", test.output
    if word == "PASS" and reason == "(superficial)":
        nuance, reason = "superficial", ""
    if reason == "timed out":
        nuance = "timeout"
    if reason == "badpkg":
        nuance = "bad-package"
        evidence = "\n".join(reasons)
        reason = next((line for line in reasons if line.startswith("badpkg: ")), reason)
    if word not in {"PASS", "SKIP"}:
        evidence = "\n".join(filter(None, [evidence, output]))
        output = ""
    return Case(
        suite=FORMAT, classname=package, name="no tests" if name == "*" else name, outcome=outcome, nuance=nuance,
        seconds=test.seconds, message=reason, evidence=evidence, output=output,
    )  # fmt: skip
