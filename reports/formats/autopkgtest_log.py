"""The log of autopkgtest: its own messages, and the lines below each of them.

Since 5.29 each line begins with the seconds since the begin of the run, ``  5s ``.  A log has this form if one of
autopkgtest's own messages has it; other lines do not decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

MESSAGE = re.compile(r"^autopkgtest \[(\d\d:\d\d:\d\d)\]: (.*)$", re.MULTILINE)
ANY_MESSAGE = re.compile(r"^(?: *\d+s )?autopkgtest \[\d\d:\d\d:\d\d\]: (.*)$", re.MULTILINE)
STARTS = re.compile("starting date(?: and time)?: ")
COMMAND_LINE = "; command line: "
TIMED = re.compile(r"^ *\d+s autopkgtest \[\d\d:\d\d:\d\d\]: ", re.MULTILINE)
SECONDS = re.compile(r"^ *\d+s (?=.|$)", re.MULTILINE)
PACKAGE = re.compile(r"testing package (\S+) version ")
SUMMARY = re.compile(r"@{20} summary$")
RESULT = re.compile(r"(\S+) +(PASS|FAIL|SKIP|FLAKY|BROKEN)(?: +(.*))?")
REASON = re.compile(r"(?:blame|badpkg):(?: .*)?")  # autopkgtest may blame nothing
OF_TEST = re.compile(r"test (\S+): ")
STDERR = re.compile(r"test \S+: +(?:- )+stderr(?: -)+$")
BETWEEN = re.compile(r"test (\S+): (\[-{20,}|-{20,}\])")
ENDS = re.compile(r"(?:ERROR: )?((?:testbed failure|erroneous package|quitting|unexpected error):.*)")
DAY = timedelta(days=1)


class LogMessage(NamedTuple):
    """A message of autopkgtest, its time of day, and the lines below it."""

    clock: str
    text: str
    below: str


class LoggedTest(NamedTuple):
    """What a log says of a test: its duration, and its output."""

    seconds: float = 0.0
    output: str = ""


def runs(log: str) -> list[str]:
    """Return the last run of each package in a log of several runs; what a test writes begins no run."""
    begins, within = list[int](), ""
    for match in ANY_MESSAGE.finditer(log):
        if between := BETWEEN.fullmatch(match[1]):
            within = within or between[1] if between[2].startswith("[") else within.removeprefix(between[1])
        elif not within and STARTS.match(match[1]):
            begins.append(match.start())
    last = dict[str, str]()
    for begin, end in pairwise([0, *begins[1:], len(log)]):
        run = messages(log[begin:end])
        command = next((message.text for message in run if COMMAND_LINE in message.text), "")
        last.pop(command, None)  # the same one, which ended before it named the package
        last[package(run) or command] = log[begin:end]
    return list(last.values())


def messages(log: str) -> list[LogMessage]:
    """Return the messages of a log; none for a text that is no log."""
    if TIMED.search(log):
        log = SECONDS.sub("", log)
    parts = MESSAGE.split(log)
    return [LogMessage(*parts[index : index + 3]) for index in range(1, len(parts), 3)]


def package(log: Iterable[LogMessage]) -> str:
    """Return the source package that is tested; "" if the log does not name it."""
    found = (PACKAGE.match(message.text) for message in log)
    return next((match[1] for match in found if match), "")


def results(log: list[LogMessage]) -> tuple[bool, list[str]]:
    """Return whether the log has its summary, and the lines with results.

    Without a summary these are the results of the tests that ended, and autopkgtest's own last words.
    """
    for message in reversed(log):
        if SUMMARY.match(message.text):
            return True, message.below.split("\n")
    lines = [message.text for message in log if ENDS.fullmatch(message.text)]
    return bool(lines), [*_results_so_far(log), *lines]


def _results_so_far(log: Sequence[LogMessage]) -> Iterator[str]:
    """Yield the lines with results of tests, and the reasons below them.

    They can come before autopkgtest's message about results, which it writes to another stream, or without one: a
    test that needs another architecture, or a package that cannot be installed.
    """
    names = {match[1] for message in log if (match := OF_TEST.match(message.text))}
    within = False
    for message in log:
        if between := BETWEEN.fullmatch(message.text):
            within = between[2].startswith("[")
        is_taken = False
        for line in () if within or STDERR.match(message.text) else map(str.rstrip, message.below.split("\n")):
            result = RESULT.fullmatch(line)
            is_own = result is not None and (result[1] in names or result[2] == "SKIP")
            is_taken = is_own or (is_taken and REASON.fullmatch(line) is not None)
            if is_taken:
                yield line


def tests(log: Iterable[LogMessage]) -> dict[str, LoggedTest]:
    """Return the duration and the output of each test."""
    found: dict[str, LoggedTest] = {}
    name, clock = "", ""
    text: list[str] = []
    for message in log:
        match = BETWEEN.fullmatch(message.text)
        if match and match[2].startswith("["):
            name, clock, text = match[1], message.clock, [message.below.strip("\n")]
        elif match and match[1] == name:
            found[name] = LoggedTest(_between(clock, message.clock), "\n".join(text))
            name = ""
        elif name:
            text += [message.text, message.below.strip("\n")]
    if name:  # the log ends in this test
        found[name] = LoggedTest(output="\n".join(text))
    return found


def _between(begin: str, end: str) -> float:
    """Return the seconds between two times of day; the second can be on the next day."""
    try:
        first, last = (datetime.strptime(clock, "%H:%M:%S") for clock in (begin, end))  # noqa: DTZ007 - times of day
    except ValueError:
        return 0.0
    return ((last - first) % DAY).total_seconds()
