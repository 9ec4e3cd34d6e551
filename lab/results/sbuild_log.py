"""sbuild's log, read once for the step's record and for the test cases: how a build ended, and whose fault that is.

``failed`` is the package's fault: a build that fails, stalls or takes too long, build dependencies that do not exist.
``error`` is the lab's fault: a mirror that cannot be reached, a full disk, a chroot that does not work, a build that
was killed, a log that is cut short.  A build that kills itself looks the same as one that was killed.

Headings differ: sbuild before 0.66 draws their frames with ``─`` and ``│`` in a UTF-8 locale, and sbuild since 0.88
ends them with the date.  All are read in the form between the two.

sbuild's log lacks what its caller knows, so the step adds that as a last line (see `ended`, `timed_out`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from lab.base import text
from lab.results.apt_log import FULL, LONGEST, complaint, is_full, not_fetched, unmet
from lab.results.build_failures import DPKG, KILLED, NO_MEMORY, TAIL_LINES, failure_line

Verdict = Literal["passed", "failed", "error"]
LAST_LINES = 60
NO_SPACE = "E: Disk space is probably not sufficient for building."
BUILD_BEGINS = "\nCommand: dpkg-buildpackage "
BUILD_ENDS = "\nBuild finished at "
RULE = "-" * 80
SECTIONS = {"install-deps": "Install package build dependencies", "arch-check": "Check architectures", "build": "Build"}
# Since 0.87 the stage of the explanation comes after that of the failure.
DEPENDENCIES = {"install-deps", "explain-bd-uninstallable"}
TIMES = {"install-deps": "Install-Time", "build": "Build-Time"}

DIFF = re.compile(r"[-+@\\]| (?!  dh_)|dpkg-gensymbols: ")
NEW_SYMBOL = re.compile(r'\+ (?:\([^)]+\))?(?P<symbol>.+@[^@\s"]+"?) \S+(?: \d+)?$')
FIELD = re.compile(r"^([A-Z][A-Za-z-]*): (.*)$", re.MULTILINE)
FRAME = f"+{'-' * 78}+"
HEADING = re.compile(rf"^{re.escape(FRAME)}\n\| (.+?) *\|\n{re.escape(FRAME)}\n", re.MULTILINE)
DRAWN = re.compile(r"^[┌└]─{78}[┐┘]$|^│ (.{76}) │$", re.MULTILINE)
DATED = re.compile(r"^(\| .*?) +[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \|$", re.MULTILINE)
FIRST = re.compile(r"^sbuild \(Debian sbuild\) ", re.MULTILINE)
PACKAGE = re.compile(r"^Package: (\S+)$", re.MULTILINE)
HOST = re.compile(r"^Host Architecture: (\S+)$", re.MULTILINE)
ENDING = re.compile(r"\nqalab: sbuild (?:ended with status (?P<status>-?\d+)|(?P<late>did not end within \d+ min))\n\Z")
STALLED = re.compile(r"E: Build killed with signal \w+ after \d+ minutes of inactivity")
# The section "Build environment" of a log.
PACKAGE_VERSIONS = re.compile(r"^Package versions: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Reading:
    """A build, from its log.

    ``stage`` is the one that it ended at, in sbuild's words; "" when it passed.  ``summary`` has the fields of
    sbuild's summary, none when the log has no whole one.  ``evidence`` is the end of the output of that stage.
    """

    verdict: Verdict
    message: str = ""
    stage: str = ""
    timed_out: bool = False
    package: str = ""
    summary: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""

    @property
    def passed_stages(self) -> tuple[str, ...]:
        """The passed stages among the installation of build dependencies and the build."""
        if self.verdict == "passed":
            return ("install-deps", "build")
        return ("install-deps",) if self.stage == "build" and self.summary else ()

    def seconds(self, stage: str) -> int:
        """Return how long a stage took; 0 where sbuild does not say."""
        value = self.summary.get(TIMES.get(stage, ""), "")
        return int(value) if value.isascii() and value.isdecimal() else 0


def ended(log: str, status: int) -> str:
    """Return a log with a last line about sbuild's exit status."""
    return f"{log}\nqalab: sbuild ended with status {status}\n"


def timed_out(log: str, minutes: int) -> str:
    """Return a log with a last line about a build that was ended after its time."""
    return f"{log}\nqalab: sbuild did not end within {minutes} min\n"


def is_log(log: str) -> bool:
    """Return whether a text is a log of sbuild: it has its first line or its summary."""
    return bool(FIRST.search(log)) or bool(_summary(with_plain_headings(log)))


def with_plain_headings(log: str) -> str:
    """Return a log with the headings of sbuild 0.66 to 0.87: ASCII frames, no dates."""
    if "│" in log:
        log = DRAWN.sub(lambda match: f"| {match[1]} |" if match[1] else FRAME, log)
    return DATED.sub(lambda match: f"{match[1]:78} |", log)


def builds(log: str) -> list[str]:
    """Return the logs of several builds, one after another; a log in the output of a build is a part of that build's."""
    begins, running, at = list[int](), 0, 0
    for match in FIRST.finditer(log):
        running += log.count(BUILD_BEGINS, at, match.start()) - log.count(BUILD_ENDS, at, match.start())
        at = match.start()
        if not running:
            begins.append(at)
    return [log[begin:end] for begin, end in pairwise([0, *begins[1:], len(log)])]


def subject(log: str) -> tuple[str, ...]:
    """Return what a log is about: the package and the architecture, as far as it says."""
    return tuple(match[1] if (match := pattern.search(log)) else "" for pattern in (PACKAGE, HOST))


def read(whole: str) -> Reading:
    """Return how a build ended."""
    whole = with_plain_headings(whole.replace("\r\n", "\n"))
    ending = ENDING.search(whole)
    log = whole[: ending.start()] if ending else whole
    summary, status = _summary(log), int(ending["status"]) if ending and ending["status"] else None
    found = PACKAGE.search(log)
    package = summary.get("Package") or (found[1] if found else "")
    if summary.get("Status") == "successful" and not status and not (ending and ending["late"]):
        return Reading("passed", package=package, summary=summary)
    late = f"the build {ending['late']}" if ending and ending["late"] else ""
    stage = (summary.get("Fail-Stage") or "build") if summary else "build"
    verdict, message = _judge(log, stage, summary, status, late)
    stalled = verdict == "failed" and (bool(late) or bool(STALLED.search(message and f"E: {message}")))
    return Reading(verdict, message, stage, stalled, package, summary, _evidence(log, stage if summary else ""))


def build_output(log: str) -> list[str]:
    """Return the lines of dpkg-buildpackage."""
    return log.partition(BUILD_BEGINS)[2].rpartition(BUILD_ENDS)[0].split("\n")


def new_symbols(log: str) -> list[str]:
    """Return the symbols that shared libraries have gained, as dpkg-gensymbols(1) shows them."""
    found: list[str] = []
    inside = False
    for line in build_output(log):
        inside = line.startswith("+++ dpkg-gensymbols") or (inside and bool(DIFF.match(line)))
        if inside and (match := NEW_SYMBOL.match(line)):
            found.append(match["symbol"].strip('"').removesuffix("@Base"))
    return list(dict.fromkeys(found))


def package_versions(log: str) -> dict[str, str]:
    """Return the packages that were in the chroot when the build began, with their versions; none if it never began."""
    words = match[1].split() if (match := PACKAGE_VERSIONS.search(log)) else []
    return dict(sorted((name, version) for name, _, version in (word.partition("_") for word in words) if version))


def _summary(log: str) -> dict[str, str]:
    """Return the fields of the summary at the end of a log; none when it has no whole one."""
    _, found, end = f"\n{log}".rpartition("\n| Summary ")
    fields = dict(FIELD.findall(end.partition(f"\n{RULE}\n")[0])) if found else {}
    return fields if "Status" in fields else {}


def _judge(log: str, stage: str, summary: Mapping[str, str], status: int | None, late: str) -> tuple[Verdict, str]:
    lines = log.split("\n")
    if any(is_full(line) or line == NO_SPACE for line in lines[-TAIL_LINES:]):
        return "error", FULL
    if late:
        return ("failed" if BUILD_BEGINS in log else "error"), late
    if summary.get("Status") == "successful":
        return "error", f"sbuild ended with status {status}, but its summary says that the build succeeded"
    if not summary:
        ending = "without a" if status is None else f"with status {status} and no"
        return "error", f"sbuild ended {ending} summary: {complaint(lines)}"
    return _judge_stage(log, stage)


def _judge_stage(log: str, stage: str) -> tuple[Verdict, str]:
    if stage == "build":
        return _judge_build(build_output(log))
    if stage in DEPENDENCIES and (missing := unmet(log)):
        return _judge_dependencies(missing, not_fetched(log))
    message = complaint(log.split("\n"))
    if stage in {"arch-check", "unpack"}:
        return "failed", message
    return "error", f"sbuild failed at {stage}: {message}"


def _judge_dependencies(missing: str, lost: str) -> tuple[Verdict, str]:
    if lost:
        return "error", f"sbuild failed at install-deps: {lost}"
    return "failed", f"unsatisfiable build dependencies: {missing}"


def _judge_build(lines: list[str]) -> tuple[Verdict, str]:
    end = lines[-TAIL_LINES:]
    if stalled := next((line for line in end if STALLED.match(line)), ""):
        return "failed", stalled.removeprefix("E: ")
    if killed := next((line for line in end if KILLED.match(line)), ""):
        return "error", f"the build was killed: {killed[:LONGEST]}"
    if starved := next((line for line in end if NO_MEMORY.match(line)), ""):
        return "error", f"out of memory: {starved[:LONGEST]}"
    if not any(line.startswith(DPKG) for line in end):
        return "error", "the build was killed: dpkg-buildpackage ended without a message"
    return "failed", f"build failed: {failure_line(lines)}"


def _evidence(log: str, stage: str) -> str:
    if not stage:
        return text.tail(log, LAST_LINES)
    parts = HEADING.split(log)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    section = sections.get(SECTIONS.get(stage, ""), "").strip("\n") or log
    begin = f"\n{section}".find(BUILD_BEGINS)
    return text.tail(section[max(0, begin) :].partition(f"\n{RULE}{BUILD_ENDS}")[0], TAIL_LINES)
