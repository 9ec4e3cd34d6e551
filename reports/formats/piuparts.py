"""piuparts' logs: a case for each check, and for the command that failed.

The messages are those of piuparts 1.6, ``logging.error`` and ``logging.info``:

- ``PASS:``, ``FAIL:`` and ``SKIP:`` are the results of checks; ``WARN:`` as an error is a check that this run does not
  fail for, a skipped case.  A check lasts since the one before it.
- ``Command failed``: the package's fault for a command that installs or removes it, else the lab's.  A command that
  cannot install has the nuance ``bad-package``; one that piuparts terminated is a timeout.
- Any other error is a failing case: ``Installation of X failed``, ``Could not install X.`` the package's fault, all
  others the lab's.  An error is followed by ``piuparts run ends.``; without that the log is incomplete.
- piuparts appends to an existing log: of each package, its last run counts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = "piuparts"
MARK = re.compile(rb"^\d+m[\d.]+s INFO: piuparts version ", re.MULTILINE)
ENTRY = re.compile(r"^(\d+)m(\d+\.\d+)s ([A-Z]+): (.*)$", re.MULTILINE)
PACKAGE = re.compile(r"\bCopying (?:\S*/)?([^_/\s]+)_[^/\s]*\.deb to ")
COMMAND = re.compile(r"Command failed \(status=(-?\d+)\): (\[.*\])")
ARGUMENTS = re.compile(r"Command line arguments: .*\s(?:\S*/)?([a-z0-9][a-z0-9+.-]+)(?:[=_]\S*)?$")
STARTS = "piuparts version "
PASSED, ENDED = "PASS: All tests.", "piuparts run ends."
TERMINATED = re.compile(r"(?:Terminating|Killing) command due to (.*)")
CHECK = re.compile(r"(PASS|FAIL|SKIP|WARN): (.+)")
OUTCOMES: dict[str, Outcome] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped", "WARN": "skipped"}
INSTALLATION = re.compile(r"Installation (?:of \S+ )?failed|Could not install ")
CHANGES = ("install", "remove", "--purge", "upgrade", "dist-upgrade")


class LogEntry(NamedTuple):
    """An entry: seconds since the start, level, message, and the lines below it."""

    seconds: float
    level: str
    message: str
    below: str


def parse(path: Path) -> Iterator[Case]:
    entries = list(_entries(excerpts.text(path)))
    starts = [number for number, entry in enumerate(entries) if entry.message.startswith(STARTS)]
    if not starts:
        raise Unreadable("is not a piuparts log: its first lines are missing")
    runs = [entries[begin:end] for begin, end in pairwise([*starts, len(entries)])]
    for run in {_package(run): run for run in runs}.values():
        yield from _of_run(run)


def _of_run(entries: Sequence[LogEntry]) -> Iterator[Case]:
    cases = list(_cases(_package(entries), entries))
    yield from cases
    last = entries[-1]
    if not any(entry.message in {PASSED, ENDED} for entry in entries):
        message = f"the log is incomplete; its last line: {last.message}"
        yield _case(_package(entries), "All tests", "error", "testbed", message=message, evidence=last.below)
    elif not cases or (last.message == ENDED and last.level == "ERROR" and not any(map(_is_bad, cases))):
        message = "piuparts ended with an error that it does not name"
        yield _case(_package(entries), "All tests", "error", "testbed", message=message)


def _is_bad(case: Case) -> bool:
    return case.outcome in {"failed", "error"}


def _package(entries: Sequence[LogEntry]) -> str:
    """Return the package: the first one that is copied into the chroot, else the last argument (``--apt``)."""
    for pattern in (PACKAGE, ARGUMENTS):
        if match := next((match for entry in entries if (match := pattern.match(entry.message))), None):
            return match[1]
    return FORMAT


def _cases(package: str, entries: Sequence[LogEntry]) -> Iterator[Case]:
    begin, terminated = 0.0, ""
    for entry in entries:
        took = max(0.0, round(entry.seconds - begin, 3))
        if match := CHECK.fullmatch(entry.message):
            yield _check(package, match, entry, took)
            begin = entry.seconds
        elif entry.level != "ERROR" or entry.message == ENDED:
            continue
        elif match := TERMINATED.fullmatch(entry.message):
            terminated = match[1]
        elif match := COMMAND.fullmatch(entry.message):
            yield _failed_command(package, took, match, entry.below, terminated)
            terminated = ""
        else:
            is_package = bool(INSTALLATION.match(entry.message))
            yield _case(
                package, "Installation" if is_package else "piuparts", "failed" if is_package else "error",
                "bad-package" if is_package else "testbed", seconds=took, message=entry.message, evidence=entry.below,
            )  # fmt: skip


def _check(package: str, match: re.Match[str], entry: LogEntry, took: float) -> Case:
    word, told = match[1], match[2]
    name = told.rstrip(".:").partition(". ")[0]  # "All tests. Package cannot be tested with piuparts: X."
    message = "" if word == "PASS" else entry.message.rstrip(":")
    return _case(package, name, OUTCOMES[word], seconds=took, message=message, evidence=entry.below)


def _entries(log: str) -> Iterator[LogEntry]:
    parts = ENTRY.split(log)
    for index in range(1, len(parts), 5):
        minutes, seconds, level, message, below = parts[index : index + 5]
        yield LogEntry(60 * float(minutes) + float(seconds), level, message, below.strip("\n"))


def _failed_command(package: str, seconds: float, match: re.Match[str], below: str, terminated: str) -> Case:
    """Return the case of a failed command.

    A command that installs or removes the package is a failure of the package; any other is an infrastructure error.
    """
    try:
        argv = [str(word) for word in ast.literal_eval(match[2])]
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        argv = [match[2]]
    if argv[0] == "chroot":
        argv = argv[2:]  # the name of the chroot is always different
    change = next((word.lstrip("-") for word in argv if word in CHANGES), "")
    outcome: Outcome = "failed" if change else "error"
    nuance: Nuance = "bad-package" if change == "install" else "" if change else "testbed"
    if terminated:
        nuance = "timeout"
    name = f"Command: {change or ' '.join(argv[:1])}"
    message = f"{' '.join(argv)} ended with exit code {match[1]}{': ' * bool(terminated)}{terminated}"
    return _case(package, name, outcome, nuance, seconds=seconds, message=message, evidence=excerpts.tail(below))


def _case(  # noqa: PLR0913 - the fields of a case
    package: str,
    name: str,
    outcome: Outcome,
    nuance: Nuance = "",
    *,
    seconds: float = 0.0,
    message: str = "",
    evidence: str = "",
) -> Case:
    return Case(
        suite=FORMAT, classname=package, name=name, outcome=outcome, nuance=nuance,
        seconds=seconds, message=message, evidence=evidence,
    )  # fmt: skip
