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
    LACKING,
    MACHINE,
    NOISE,
    OF_APT,
    RAISED,
    READ,
    UNPROCESSED,
    UNREAD,
    explains,
    is_labs,
)

ENTRY: Final = re.compile(
    r"^\S+: (?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\S* (?P<level>TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<module>\S+) (?P<text>.*)$"
)
UNIT: Final = "unit."
MOST_CHARACTERS: Final = 400
MOST_LINES: Final = 5_000  # of a hook: what explains its failure is near to it
AWAITING: Final = "awaiting error resolution"  # after the failure, again and again
FAILED: Final = re.compile(rf'hook "[^"]+".* failed|{AWAITING}')
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
    found = [*entries(line if line.isprintable() else CONTROLS.sub("", line) for line in lines)]
    both = [(entry.level, line) for entry in of_failed_hook(found) for line in entry.lines if line.strip()][
        -MOST_LINES:
    ]
    both = _joined(both)
    said = [line for _, line in both]
    reason = _reason(said, _raised(both), found) or HookFailure(lines[-1].strip()[:MOST_CHARACTERS] if lines else "")
    unread = max((number for number, line in enumerate(said) if UNREAD.search(line)), default=None)
    if UNREAD.search(reason.line):
        return replace(reason, is_labs=True)
    if unread is None or not LACKING.search(reason.line) or any(map(READ.search, said[unread:])):
        return reason
    return HookFailure(_first_of_block(said, unread), is_labs=True)


def _reason(said: Sequence[str], raised: Sequence[int], found: Sequence[UnitLogEntry]) -> HookFailure | None:
    """Return the reason in the lines of a failed hook, by the kinds of lines.

    ``raised``: the numbers of those that end tracebacks; ``found``: all entries of the log.
    """
    agents = [entry.text for entry in found if _is_agents(entry)]
    ends = [text for text in agents if FAILED.search(text) and not text.startswith(AWAITING)]
    if ends and (STOPPED.search(ends[-1]) or is_labs(ends[-1])):
        return HookFailure(ends[-1], is_labs=True)
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
            return HookFailure(_with_details(said, number))
    last_run = takewhile(lambda line: not BEGUN.match(line), reversed(said))
    of_apt = [line for line in last_run if line.startswith(("E: ", "Error: "))][::-1]
    waiting = [line for line in said if line.startswith("dpkg: dependency problems")]
    last = waiting[-1:] or of_apt[-1:] or [said[number] for number in raised][-1:] or ends[-1:] or said[-1:]
    return HookFailure(last[0].strip()[:MOST_CHARACTERS]) if last else None


def _joined(both: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the lines with each error of dpkg's whole, where a line of the other stream came into it."""
    joined = [*both]
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


def of_failed_hook(found: Sequence[UnitLogEntry]) -> list[UnitLogEntry]:
    """Return the entries of the unit's last failed hook, from its beginning."""
    ends = [number for number, entry in enumerate(found) if _is_agents(entry) and FAILED.search(entry.text)]
    failed = [number for number in ends if not found[number].text.startswith(AWAITING)]
    end = (failed[-1:] or ends[:1] or [len(found)])[0]
    before = [number for number in range(end) if _is_agents(found[number]) and ENDED.search(found[number].text)]
    own = found[before[-1] + 1 if before else 0 : end]
    return [entry for entry in own if entry.module.startswith(UNIT)] or list(own)


def _is_agents(entry: UnitLogEntry) -> bool:
    return entry.module.startswith("juju.worker")


def _first_of_block(said: Sequence[str], number: int) -> str:
    """Return the first of the lines on a mirror or the machine that lead to one; details of such a line are indented."""
    first = number
    while number and (is_labs(said[number - 1]) or said[number - 1][0].isspace()):
        number -= 1
        first = number if is_labs(said[number]) else first
    return said[first].strip()[:MOST_CHARACTERS]


def _of_package(said: Sequence[str], number: int) -> HookFailure:
    """Return the error of a package that dpkg could not process, with what its script printed that tells most.

    A script that lacks what the machine or the network has to give fails by the lab's fault.
    """
    printed = [line.strip() for line in takewhile(lambda line: not BEGUN.match(line), reversed(said[:number]))]
    printed = [line for line in printed if not (line.startswith("Processing ") or NOISE.match(line))]
    nearest = next((line for line in printed if is_labs(line) or explains(line)), "")
    if labs := next(filter(MACHINE.search, said[number::-1]), nearest if is_labs(nearest) else ""):
        return HookFailure(labs.strip()[:MOST_CHARACTERS], is_labs=True)
    output = next(filter(RAISED.search, printed), printed[0] if printed else "")
    error = " ".join(filter(None, [said[number], said[number + 1].strip(), f"({output})" if output else ""]))
    return HookFailure(error[:MOST_CHARACTERS])
