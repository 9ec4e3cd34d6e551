"""piuparts' logs: a case for each check, and for the command that failed.

A package that cannot be installed has the nuance ``bad-package``; a chroot that cannot be created, or an incomplete
log, is an infrastructure error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = "piuparts"
MARK = re.compile(rb"^\d+m[\d.]+s INFO: piuparts version ", re.MULTILINE)
ENTRY = re.compile(r"^(\d+)m(\d+\.\d+)s ([A-Z]+): (.*)$", re.MULTILINE)
PACKAGE = re.compile(r"\bCopying (?:\S*/)?([^_/\s]+)_[^/\s]*\.deb to ")
COMMAND = re.compile(r"Command failed \(status=(-?\d+)\): (\[.*\])")
STARTS = "piuparts version "
ENDS = {"PASS: All tests.", "piuparts run ends."}
CHANGES = ("install", "remove", "--purge", "upgrade", "dist-upgrade")
Entry = tuple[float, str, str, str]


def parse(path: Path) -> Iterator[Case]:
    entries = list(_entries(excerpts.text(path)))
    starts = [number for number, entry in enumerate(entries) if entry[2].startswith(STARTS)]
    if not starts:
        raise Unreadable("is not a piuparts log: its first lines are missing")
    entries = entries[starts[-1] :]  # piuparts appends to an existing log
    copied = (PACKAGE.match(entry[2]) for entry in entries)
    package = next((match[1] for match in copied if match), FORMAT)
    for seconds, level, message, below in entries:
        if message.startswith("FAIL: "):
            name = message.removeprefix("FAIL: ").rstrip(".:")
            yield _case(package, name, "failed", seconds=seconds, message=message.rstrip(":"), evidence=below)
        elif message.startswith("PASS: "):
            yield _case(package, message.removeprefix("PASS: ").rstrip("."), "passed", seconds=seconds)
        elif level == "ERROR" and (match := COMMAND.fullmatch(message)):
            yield _failed_command(package, seconds, match, below)
    if not any(entry[2] in ENDS for entry in entries):
        message = f"the log is incomplete; its last line: {entries[-1][2]}"
        yield _case(package, "All tests", "error", "testbed", message=message, evidence=entries[-1][3])


def _entries(log: str) -> Iterator[Entry]:
    """Yield the entries: seconds since the start, level, message, and the lines below it."""
    parts = ENTRY.split(log)
    for index in range(1, len(parts), 5):
        minutes, seconds, level, message, below = parts[index : index + 5]
        yield 60 * float(minutes) + float(seconds), level, message, below.strip("\n")


def _failed_command(package: str, seconds: float, match: re.Match[str], below: str) -> Case:
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
    name = f"Command: {change or ' '.join(argv[:1])}"
    message = f"{' '.join(argv)} ended with exit code {match[1]}"
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
