"""The reason for the failure of a hook, from the log of its unit (``juju debug-log``).

An entry of the log has an entity, a time, a level, a module and a text, which can have more lines: a traceback.  The
modules of a hook are ``unit.UNIT.HOOK``, for what it prints, and ``unit.UNIT.juju-log``; that of the agent, which ends a
hook, is ``juju.worker.uniter.operation``.  See Juju's reference, "Log".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final, NamedTuple

from lab.base.text import CONTROLS
from scripts.drivers.juju.hook_lines import (
    BEGUN,
    DEPENDENT,
    GENERIC,
    JOURNAL,
    LACKING,
    MACHINE,
    NOISE,
    OF_APT,
    RAISED,
    READ,
    TASK,
    UNPROCESSED,
    UNREAD,
    explains,
    is_labs,
)

ENTRY: Final = re.compile(
    r"^\S+: (?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\S* (?P<level>TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<module>\S+) (?P<text>.*)$"
)
UNIT: Final = "unit."
AGENT: Final = "juju.worker"
MOST_CHARACTERS: Final = 400
MOST_LINES: Final = 5_000  # of a hook: what explains its failure is near to it
AWAITING: Final = "awaiting error resolution"  # after the failure, again and again
FAILED: Final = re.compile(rf'hook "[^"]+".* failed|{AWAITING}')
ERRORS: Final = ("E: ", "Error: ")  # of apt
STOPPED: Final = re.compile(r"failed: signal: (?:killed|terminated)$")  # the machine had no memory left, or went down
ENDED: Final = re.compile(r'ran "[^"]+" hook|hook "[^"]+".* failed')
TRACEBACK: Final = "Traceback (most recent call last)"


@dataclass(frozen=True)
class HookFailure:
    """The line that explains a failure; ``is_labs``: a mirror or the machine is at fault."""

    line: str
    is_labs: bool = False


class UnitLogEntry(NamedTuple):
    """An entry of a log; a line that belongs to no entry has no module, and no level."""

    module: str
    level: str
    """That of the standard output of a hook is not that of its standard error."""
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.lines[0]


def failure(lines: Sequence[str]) -> HookFailure:
    """Return the reason of the last failed hook in a log; an empty line for an empty log."""
    own, end = of_failed_hook(lines)
    both = _joined([(entry.level, line) for entry in own for line in entry.lines if line.strip()])
    said = [line for _, line in both]
    reason = _reason(said, _raised(both), end) or HookFailure(lines[-1].strip()[:MOST_CHARACTERS] if lines else "")
    if reason.is_labs:
        return reason
    if lacking := next(filter(MACHINE.search, said), ""):
        return HookFailure(lacking.strip()[:MOST_CHARACTERS], is_labs=True)
    unread = max((number for number, line in enumerate(said) if UNREAD.search(line)), default=None)
    if UNREAD.search(reason.line):
        return replace(reason, is_labs=True)
    if unread is None or not LACKING.search(reason.line) or any(map(READ.search, said[unread:])):
        return reason
    return HookFailure(_first_of_block(said, unread), is_labs=True)


def _reason(said: Sequence[str], raised: Sequence[int], end: str) -> HookFailure | None:
    """Return the reason in the lines of a failed hook, by the kinds of lines.

    ``raised``: the numbers of those that end tracebacks; ``end``: what the agent said when the hook ended, or "".
    """
    if end and (STOPPED.search(end) or is_labs(end)):
        return HookFailure(end, is_labs=True)
    begun = False
    for number in range(len(said) - 1, -1, -1):
        line = said[number]
        begun = begun or bool(BEGUN.match(line))
        if NOISE.match(line) or (begun and OF_APT.match(line)):  # apt was run again, and got further
            continue
        # Its details are on standard output, and can come before it.
        is_head = number > 0 and line.startswith("error: ") and line.endswith(":")
        if is_labs(line) or (is_head and is_labs(said[number - 1])):
            return HookFailure(_first_of_block(said, number), is_labs=True)
        if number and UNPROCESSED.match(said[number - 1]) and not DEPENDENT.match(line):
            return _of_package(said, number - 1)
        if UNPROCESSED.match(line) or GENERIC.search(line):
            continue
        if number in raised or explains(line):
            first = _first_of_apt(said, number)
            if not GENERIC.search(said[first]):
                return HookFailure(_with_details(said, first))
    return _least(said, raised, end)


def _least(said: Sequence[str], raised: Sequence[int], end: str) -> HookFailure | None:
    """Return what is left to tell where no line is a reason by itself."""
    if waiting := [number for number, line in enumerate(said) if line.startswith("dpkg: dependency problems")]:
        return HookFailure(_with_details(said, waiting[0]))
    last_run = takewhile(lambda line: not BEGUN.match(line), reversed(said))
    of_apt = [line for line in last_run if line.startswith(ERRORS)]
    last = [*of_apt[:1], *(said[number] for number in raised[-1:]), *([end] if end else said[-1:])]
    return HookFailure(last[0].strip()[:MOST_CHARACTERS]) if last else None


def _first_of_apt(said: Sequence[str], number: int) -> int:
    """Return the number of the first of the errors that apt prints together when it ends: the later ones follow from it."""
    of_run = takewhile(lambda before: OF_APT.match(said[before]), range(number, -1, -1))
    errors = [before for before in of_run if said[before].startswith(ERRORS) and not is_labs(said[before])]
    return [number, *errors][-1]


def _joined(both: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the lines with each error of dpkg's whole, where a line of the other stream came into it.

    A task that snapd could not do is one line, with all that it says in its parentheses.
    """
    joined = list[tuple[str, str]]()
    for level, line in both:
        last = joined[-1][1] if joined and joined[-1][0] == level else ""
        if TASK.match(last) and last.count("(") > last.count(")") and len(last) < MOST_CHARACTERS:
            joined[-1] = (level, f"{last} {line.strip()}")
        else:
            joined.append((level, line))
    for number in range(len(joined) - 1, -1, -1):
        level, line = joined[number]
        if UNPROCESSED.match(line):
            rest = next((later for later in range(number + 1, len(joined)) if joined[later][0] == level), None)
            if rest is not None:
                joined.insert(number + 1, joined.pop(rest))
    return joined


def _raised(both: Sequence[tuple[str, str]]) -> list[int]:
    """Return the numbers of the lines that end tracebacks: exceptions, whatever they are called.

    ``both``: the lines of both streams, each with its level: those of the one come between those of the other.
    """
    found, inside = [], ""
    for number, (level, line) in enumerate(both):
        is_first = line.startswith(TRACEBACK)
        if inside and level != inside and not is_first:
            continue
        if inside and not line[0].isspace():
            found.append(number)
        inside = level if is_first or (inside and line[0].isspace()) else ""
    return found


def _with_details(said: Sequence[str], number: int) -> str:
    """Return a line; where it ends in a colon, with the indented ones after it, or else the next one."""
    text = said[number].strip()
    if text.endswith(":"):
        after = said[number + 1 :]
        details = [*takewhile(lambda line: line[0].isspace() or line.startswith("- "), after)]
        details = details or [line for line in after[:1] if not (GENERIC.search(line) or NOISE.match(line))]
        text = " ".join([text, *(line.strip() for line in details)])
    return text[:MOST_CHARACTERS]


def entries(lines: Iterable[str]) -> Iterator[UnitLogEntry]:
    """Yield the entries of a log; lines without a head belong to the entry before them."""
    module, level, text = "", "", list[str]()
    for line in lines:
        if match := ENTRY.match(line):
            if text:
                yield UnitLogEntry(module, level, tuple(text))
            module, level, text = match["module"], match["level"], [match["text"]]
        else:
            text.append(line)
    if text:
        yield UnitLogEntry(module, level, tuple(text))


def of_failed_hook(lines: Sequence[str]) -> tuple[list[UnitLogEntry], str]:
    """Return the entries of the unit's last failed hook, those near to its end, and what the agent said of its end, or ""."""
    # Most lines are of hooks: only those of the agent, which begin and end them, are taken apart in the whole log.
    heads = {number: ENTRY.match(_plain(line)) for number, line in enumerate(lines) if AGENT in line}
    agents = {number: head["text"] for number, head in heads.items() if head and head["module"].startswith(AGENT)}
    ends = [number for number, text in agents.items() if FAILED.search(text)]
    failed = [number for number in ends if not agents[number].startswith(AWAITING)]
    end = (failed[-1:] or ends[:1] or [len(lines)])[0]
    begin = max((number + 1 for number, text in agents.items() if number < end and ENDED.search(text)), default=0)
    own = [*entries(map(_plain, lines[max(begin, end - MOST_LINES) : end]))]
    return [entry for entry in own if entry.module.startswith(UNIT)] or own, agents[end] if failed else ""


def _plain(line: str) -> str:
    return line if line.isprintable() else CONTROLS.sub("", line)


def _first_of_block(said: Sequence[str], number: int) -> str:
    """Return the first of the lines on a mirror or the machine that lead to one; details of such a line are indented."""
    first = number
    while number and (is_labs(said[number - 1]) or said[number - 1][0].isspace() or NOISE.match(said[number - 1])):
        number -= 1
        first = number if is_labs(said[number]) else first
    return said[first].strip()[:MOST_CHARACTERS]


def _of_package(said: Sequence[str], number: int) -> HookFailure:
    """Return the error of a package that dpkg could not process, with what its script printed that tells most.

    A script that lacks what the network has to give fails by the lab's fault.
    """
    printed = [*takewhile(lambda before: not BEGUN.match(said[before]), range(number - 1, -1, -1))]
    printed = [
        before for before in printed if not (said[before].startswith("Processing ") or NOISE.match(said[before]))
    ]
    nearest = next((before for before in printed if is_labs(said[before]) or explains(said[before])), None)
    if nearest is not None and is_labs(said[nearest]):
        return HookFailure(_first_of_block(said, nearest), is_labs=True)
    output = [said[before] for before in printed]
    plain = [line for line in output if not line[0].isspace()]  # the others are details of those before them
    told = [*filter(RAISED.search, output), *filter(JOURNAL.match, output), *plain, *output, ""][0].strip()
    error = " ".join(filter(None, [said[number], said[number + 1].strip(), f"({told})" if told else ""]))
    return HookFailure(error[:MOST_CHARACTERS])
