"""autopkgtest: the file ``summary`` of its output directory (with ``log`` next to it, for evidence), or its log.

See autopkgtest(1), "OUTPUT FORMAT" and "EXIT STATUS".  ``FAIL badpkg`` and the lines ``blame:``, ``badpkg:``
after it are ``bad-package`` (status 12, 14); ``testbed failure`` (16) and ``unexpected error`` (20) are infrastructure
errors.  A flaky test that fails is a skipped case: autopkgtest does not count it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = "autopkgtest"
MARK = re.compile(
    rb"^autopkgtest \[\d\d:\d\d:\d\d\]: |^\S+ +(?:PASS$|PASS \(superficial\)$|(?:FAIL|SKIP|FLAKY|BROKEN) \S)"
    rb"|^(?:testbed failure|erroneous package|blame|badpkg): |^quitting: unexpected error",
    re.MULTILINE,
)
MESSAGE = re.compile(r"^autopkgtest \[(\d\d:\d\d:\d\d)\]: (.*)$", re.MULTILINE)
SUMMARY = re.compile(r"@{20} summary$")
RESULT = re.compile(r"(\S+) +(PASS|FAIL|SKIP|FLAKY|BROKEN)(?: (.*))?")
REASON = re.compile(r"(?:blame|badpkg): .*")
LAB = re.compile(r"(?:ERROR: )?((?:testbed failure|erroneous package|quitting|unexpected error):.*)")
BETWEEN = re.compile(r"test (\S+): (\[-{20,}|-{20,}\])")
DAY = timedelta(days=1)
KINDS: dict[str, tuple[Outcome, Nuance]] = {
    "PASS": ("passed", ""),
    "FAIL": ("failed", ""),
    "SKIP": ("skipped", ""),
    "FLAKY": ("skipped", "flaky"),
    "BROKEN": ("failed", "bad-package"),  # the control data
}


def parse(path: Path) -> Iterator[Case]:
    summary = excerpts.text(path)
    log_path = path.parent / "log"
    is_log = bool(MESSAGE.search(summary))
    log = summary if is_log else excerpts.text(log_path) if path.name == "summary" and log_path.is_file() else ""
    package = _package(log)
    tests = _tests(log)
    seen = 0
    # The log of a package without tests has its result twice.
    for line in dict.fromkeys((_summary(log) if is_log else summary).split("\n")):
        if match := RESULT.fullmatch(line.rstrip()):
            seen += 1
            yield _case(package, match, *tests.get(match[1], (0.0, "")), summary)
        elif match := LAB.fullmatch(line):
            seen += 1
            erroneous = match[1].startswith("erroneous")
            nuance: Nuance = "bad-package" if erroneous else "testbed"
            yield Case(
                suite=FORMAT, classname=package, name="[package]" if erroneous else "[testbed]",
                outcome="failed" if erroneous else "error", nuance=nuance, message=match[1], evidence=excerpts.tail(log),
            )  # fmt: skip
    if is_log and not seen:
        message = "the log ends before its summary"
        yield Case(
            suite=FORMAT, classname=package, name="[testbed]", outcome="error", nuance="testbed",
            message=message, evidence=excerpts.tail(log),
        )  # fmt: skip
    elif not seen and summary.strip():
        raise Unreadable("is neither a summary nor a log of autopkgtest")


def _case(package: str, match: re.Match[str], seconds: float, output: str, summary: str) -> Case:
    name, word, reason = match[1], match[2], match[3] or ""
    outcome, nuance = KINDS[word]
    evidence = ""
    if word == "PASS" and reason == "(superficial)":
        nuance, reason = "superficial", ""
    if reason == "timed out":
        nuance = "timeout"
    if reason == "badpkg":
        nuance = "bad-package"
        reasons = [line for line in summary.split("\n") if REASON.fullmatch(line)]
        evidence = "\n".join(reasons)
        reason = next((line for line in reasons if line.startswith("badpkg: ")), reason)
    if word not in {"PASS", "SKIP"}:
        evidence = "\n".join(filter(None, [evidence, output]))
        output = ""
    return Case(
        suite=FORMAT, classname=package, name="no tests" if name == "*" else name, outcome=outcome, nuance=nuance,
        seconds=seconds, message=reason, evidence=evidence, output=output,
    )  # fmt: skip


def _package(log: str) -> str:
    match = re.search(r"^autopkgtest \[[\d:]+\]: testing package (\S+) version ", log, re.MULTILINE)
    return match[1] if match else FORMAT


def _summary(log: str) -> str:
    """Return the lines below the last heading ``summary``, or autopkgtest's messages about its end without a summary."""
    parts = MESSAGE.split(log)
    for index in range(len(parts) - 3, 0, -3):
        if SUMMARY.fullmatch(parts[index + 1]):
            return parts[index + 2]
    return "\n".join(message for message in parts[2::3] if LAB.fullmatch(message))


def _tests(log: str) -> dict[str, tuple[float, str]]:
    """Return the duration and the output of each test."""
    parts = MESSAGE.split(log)
    tests: dict[str, tuple[float, str]] = {}
    began: tuple[str, str] = "", ""
    text: list[str] = []
    for clock, message, below in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        match = BETWEEN.fullmatch(message)
        if match and match[2].startswith("["):
            began, text = (match[1], clock), [below.strip("\n")]
        elif match and match[1] == began[0]:
            tests[match[1]] = _between(began[1], clock), "\n".join(text)
            began = "", ""
        elif began[0]:
            text += [message, below.strip("\n")]
    return tests


def _between(begin: str, end: str) -> float:
    """Return the seconds between two times of day; the second can be on the next day."""
    try:
        first, last = (datetime.strptime(clock, "%H:%M:%S") for clock in (begin, end))  # noqa: DTZ007 - times of day
    except ValueError:
        return 0.0
    return ((last - first) % DAY).total_seconds()
