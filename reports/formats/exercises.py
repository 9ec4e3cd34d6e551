"""devstack's exercise.sh: its summary, ``SKIP|PASS|FAILED NAME``, and the output of each exercise above it.

An exercise exits with 55 if its service is not enabled: it is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lab.base.text import first_line
from lab.results.cases import Case, Outcome
from reports.formats import excerpts
from reports.formats.excerpts import Unreadable

FORMAT = "exercises"
MARK = re.compile(rb"^={60,}\nRunning \S+\n={60,}$|\A(?:(?:={60,}|(?:SKIP|PASS|FAILED) \S+)\n)+\Z", re.MULTILINE)
RULE = re.compile(r"={60,}")
RUNNING = re.compile(r"^={60,}\nRunning (\S+)\n={60,}\n", re.MULTILINE)
RESULT = re.compile(r"(SKIP|PASS|FAILED) (\S+)")
COMPLAINT = re.compile(r"\[ERROR\].*|.*\b[Ee]rror\b.*")
OUTCOMES: dict[str, Outcome] = {"SKIP": "skipped", "PASS": "passed", "FAILED": "failed"}


def parse(path: Path) -> Iterator[Case]:
    log = excerpts.text(path)
    lines = log.rstrip("\n").split("\n")
    if lines and RULE.fullmatch(lines[-1]):
        lines.pop()
    results = []
    while lines and (match := RESULT.fullmatch(lines[-1])):
        results.append(match)
        lines.pop()
    parts = RUNNING.split("\n".join(lines) + "\n")
    outputs = dict(zip(parts[1::2], (_without_rule(text) for text in parts[2::2]), strict=True))
    for match in reversed(results):
        yield _case(match[2], match[1], outputs.get(match[2]))
    told = {match[2] for match in results}
    for name in [name for name in outputs if results and name not in told]:
        message = "it is not in the summary: the log is cut short"
        yield Case(suite=FORMAT, classname=FORMAT, name=name, outcome="error", message=message, evidence=outputs[name])
    if not results and outputs:
        name, output = list(outputs.items())[-1]
        message = "no summary: exercise.sh ended during this exercise"
        yield Case(suite=FORMAT, classname=FORMAT, name=name, outcome="error", message=message, evidence=output)
    elif not results and log.strip():
        raise Unreadable("has no summary of devstack's exercise.sh")


def _case(name: str, word: str, output: str | None) -> Case:
    outcome, text = OUTCOMES[word], output or ""
    message = ""
    if outcome == "skipped":
        message = "named in SKIP_EXERCISES" if output is None else "exit code 55: not enabled"
    if outcome == "failed":
        complaints = [line for line in text.split("\n") if COMPLAINT.fullmatch(line)]
        message = complaints[-1] if complaints else first_line(excerpts.tail(text, 1))
    return Case(
        suite=FORMAT, classname=FORMAT, name=name, outcome=outcome, message=message,
        evidence=text if outcome == "failed" else "", output="" if outcome == "failed" else text,
    )  # fmt: skip


def _without_rule(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    return "\n".join(lines[:-1] if RULE.fullmatch(lines[-1]) else lines)
