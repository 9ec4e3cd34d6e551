"""The output of ``gnome-desktop-testing-runner``, GNOME's runner of installed tests, with and without ``--tap``.

Each test is a program with an output of its own, TAP for most, between the runner's ``Running test: DIRECTORY/NAME.test``
and its result, ``PASS``, ``FAIL`` or ``SKIP``.  The runner's result is a case, and so is each test point of the program,
in a class of the program's name.  Programs that run at the same time mix their output: its points are cases then, and
their plans say nothing.  A program without a result, and a runner without a complete summary, are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.results.cases import Case, Nuance, Outcome
from reports.formats import excerpts, tap, tap_lines, tap_plan

FORMAT = "gnome-desktop-testing"
MARK = re.compile(rb"^(?:# )?Running test: \S+\.test$", re.MULTILINE)
START = re.compile(r"(?:# )?Running test: (\S+\.test)")
RESULT = re.compile(r"(PASS|FAIL|SKIP): (\S+\.test)(?: \((.*)\))?")
# With --tap; a reason is in the comment before it.
TAP_RESULT = re.compile(r"(ok|not ok|ok # SKIP) - (\S+\.test)")
TAP_RESULTS = {"ok": "PASS", "not ok": "FAIL", "ok # SKIP": "SKIP"}
TIMED_OUT = re.compile(r"(?:not ok - )?Test timed out after \d+ seconds")
SUMMARY = re.compile(r"(?:# )?SUMMARY( \(incomplete\))?: total=(\d{1,6}); passed=(\d{1,6}); skipped=(\d{1,6}); failed=(\d{1,6})(?:;.*)?")  # fmt: skip
TAP = re.compile(
    r"^(?:TAP version \d|1\.\.\d|(?:not )?ok \d|not ok\b|Bail out!)", re.MULTILINE
)  # "ok" is also unittest's
PLAN = re.compile(r"1\.\.\d+(?: #.*)?")
NUMBERED = re.compile(r"(ok|not ok)\s+\d+(?!\S)(?:\s+-(?=\s|$))?")
OUTCOMES: dict[str, Outcome] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}


@dataclass
class _Program:
    """A test program: its output, and its result."""

    name: str
    output: list[str] = field(default_factory=list)
    result: str = ""
    reason: str = ""
    nuance: Nuance = ""


@dataclass
class _Log:
    """The output of the runner while it is read."""

    programs: list[_Program] = field(default_factory=list)
    running: dict[str, _Program] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    outside: list[str] = field(default_factory=list)
    mixed: bool = False
    summaries: list[tuple[bool, list[int]]] = field(default_factory=list)
    """For each, whether the runner ended early; the numbers of all, passed, skipped, and failed programs."""
    after: int = 0
    """The number of programs that began after the last summary."""

    def read(self, line: str) -> None:
        if match := START.fullmatch(line):
            self.mixed |= bool(self.running)
            self.running[match[1]] = _Program(match[1])
            self.programs.append(self.running[match[1]])
            self.names.add(match[1])
            self.after += 1
        elif match := SUMMARY.fullmatch(line):
            self.summaries.append((bool(match[1]), [int(match[number]) for number in range(2, 6)]))
            self.after = 0
        elif self._is_result(line):
            pass
        elif TIMED_OUT.fullmatch(line) and self.running:
            for program in self.running.values():
                program.nuance = "timeout"
        elif len(self.running) == 1:
            next(iter(self.running.values())).output.append(line)
        elif self.programs or not PLAN.fullmatch(line):  # the runner's own plan: the summary has its number
            self.outside.append(line)

    def _is_result(self, line: str) -> bool:
        """Read the result of a program that runs; below the summary, those that failed are there once more."""
        match = RESULT.fullmatch(line.removeprefix("# "))
        if match and match[2] in self.names:
            if program := self.running.get(match[2]):
                program.reason = match[3] or ""
                if not line.startswith("# "):
                    self._end(program, match[1])
            return True
        if (match := TAP_RESULT.fullmatch(line)) and (program := self.running.get(match[2])):
            self._end(program, TAP_RESULTS[match[1]])
            return True
        return False

    def _end(self, program: _Program, result: str) -> None:
        program.result = result
        del self.running[program.name]


def parse(path: Path) -> Iterator[Case]:
    log = _Log()
    for line in excerpts.text(path).replace("\r", "\n").split("\n"):
        log.read(line)
    return tap.unique(_cases(log, path.stem))


def _cases(log: _Log, stem: str) -> Iterator[Case]:
    mixed = log.outside if log.mixed else []
    for program in log.programs:
        if log.mixed:
            mixed += program.output
            yield _case(program, "")
        else:
            points = _points(program)
            yield _case(program, "" if points else "\n".join(program.output))
            yield from points
    yield from tap.cases_of("", stem, _without_plans(mixed) if log.mixed else "\n".join(log.outside))
    if fault := _fault(log):
        yield Case(suite=FORMAT, classname=FORMAT, name="[summary]", outcome="error", message=fault)


def _points(program: _Program) -> list[Case]:
    """Return the test points of a program; none of one that writes no TAP.  One that skips all of itself needs no plan."""
    text = "\n".join(program.output)
    points = list(tap.cases_of("", program.name, text)) if TAP.search(text) else []
    *skipped, last = points or [_case(program, "")]
    is_skipped = program.result == "SKIP" and {case.outcome for case in skipped} == {"skipped"}
    return skipped if is_skipped and last.message == tap_plan.MISSING else points


def _case(program: _Program, output: str) -> Case:
    outcome = OUTCOMES.get(program.result, "error")
    is_bad = outcome in {"failed", "error"}
    return Case(
        suite=FORMAT, classname=FORMAT, name=program.name, outcome=outcome, nuance=program.nuance if is_bad else "",
        message=program.reason if program.result else "it began, but did not end",
        evidence=output if is_bad else "", output="" if is_bad else output,
    )  # fmt: skip


def _without_plans(lines: Iterable[str]) -> str:
    """Return a document of the points of several documents, without their numbers and with one plan."""
    text = tap_lines.of_glib("\n".join(lines))
    points = [NUMBERED.sub(r"\1 -", line) for line in text.split("\n") if not PLAN.fullmatch(line)]
    count = sum(tap_lines.POINT.fullmatch(line) is not None for line in points)
    return "\n".join([*points, f"1..{count}"] if count else points)


def _fault(log: _Log) -> str:
    if log.after or not log.summaries:
        return "there is no summary: the runner was killed, or the file is cut short"
    if any(incomplete for incomplete, _ in log.summaries):
        return "the runner ended early: " + next(
            (line for line in log.outside if "exception during" in line), "why is not told"
        )
    total, *counts = (sum(column) for column in zip(*(numbers for _, numbers in log.summaries), strict=True))
    found = [sum(program.result == word for program in log.programs) for word in ("PASS", "SKIP", "FAIL")]
    if counts != found or total != sum(found):
        return (
            f"the summary counts {total} programs, {counts} of them passed, skipped and failed; the output has {found}"
        )
    return ""
