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
from typing import Final

from lab.base.run import COMPLAINT
from lab.base.text import CONTROLS
from scripts.drivers.juju.client import BUSY

ENTRY: Final = re.compile(
    r"^\S+: (?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\S* (?:TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<module>\S+) (?P<text>.*)$"
)
UNIT: Final = "unit."
MOST_CHARACTERS: Final = 400
AWAITING: Final = "awaiting error resolution"  # after the failure, again and again
FAILED: Final = re.compile(rf'hook "[^"]+".* failed|{AWAITING}')
STOPPED: Final = re.compile(r"failed: signal: (?:killed|terminated)$")  # the machine had no memory left, or went down
ENDED: Final = re.compile(r'ran "[^"]+" hook|hook "[^"]+".* failed')
# Trouble of a mirror, of the network, of the machine or of the controller: neither the package nor its charm is at fault.
LABS: Final = re.compile(
    r"^(?:E|W|Err|Error|Warning): ?.*(?:Failed to fetch|Unable to (?:fetch|acquire|lock)|Could not (?:get lock|open lock|connect|resolve)"
    r"|Hash Sum mismatch|Temporary failure resolving|Some index files failed|GPG error|NO_PUBKEY|dpkg was interrupted|enough free space"
    r"|The repository .* (?:Release file|is not signed)|Release file for .* is (?:not valid yet|expired))"
    r"|^dpkg: error: dpkg frontend lock was locked|^- (?:Download|Fetch) .*snap |unable to contact snap store|api\.snapcraft\.io"
    r"|Temporary failure in name resolution|[Cc]ould not resolve host|unable to resolve host address|host='pypi\.org'"
    r"|[Nn]o space left on device|[Cc]annot allocate memory|^MemoryError$|^Killed$|: line \d+: +\d+ Killed\b"
    r"|script subprocess (?:was killed by signal \((?:Killed|Terminated)\)|returned error exit status 137$)"
    # Of Juju's own commands in hooks, such as is-leader.
    rf"|^ERROR .*(?:{BUSY}|lease manager stopped|i/o timeout|connection refused|unexpected EOF)"
)
OF_APT: Final = re.compile(r"^(?:E|W|Err|Error|Warning): |^dpkg: error: dpkg frontend lock")
# What says nothing: it is there in hooks that succeed as well, or follows from a reason given before it.
NOISE: Final = re.compile(
    r"^debconf: |^dpkg-preconfigure: |^locale: |^perl: warning|^sudo: unable to resolve host|^No apport report written"
    r"|^\(Background on this error at|^\[(?:SQL|parameters): "  # of SQLAlchemy, after an error of the database
)
UNMET: Final = re.compile(r"^\s*\S+ : (?:Pre)?Depends: |^\s*\S+ : (?:Conflicts|Breaks): ")
UNPROCESSED: Final = re.compile(r"^dpkg: error processing ")
BEGUN: Final = re.compile(r"^(?:Setting up|Unpacking|Preparing to unpack|\(Reading database) ")
DEPENDENT: Final = re.compile(r"^\s*dependency problems")  # of a package that waits for one with an error before it
# Indexes that apt or pip, and keys that a charm could not get, which is only a warning, what is then lacking, and indexes
# that apt got afterwards.
UNREAD: Final = re.compile(
    r"^(?:W|E|Warning|Error): ?.*(?:Failed to fetch|Some index files failed|GPG error|The repository .* (?:Release file|is not signed)"
    r"|Release file for|lock (?:directory )?/var/lib/apt/lists)"
    r"|^\s*WARNING: Retrying .* connection broken by|^curl: .*Could not resolve host"
)
LACKING: Final = re.compile(
    r"^(?:E|Error): (?:Unable to (?:locate package|correct problems|satisfy)|Package .* has no installation candidate"
    r"|Version .* was not found)|^\s*\S+ : (?:Pre)?Depends: "
    r"|^\s*ERROR: (?:Could not find a version|No matching distribution)|GPGKeyError"
)
READ: Final = re.compile(r"^(?:Hit|Get):\d+ \S+ \S+ InRelease")
TRACEBACK: Final = "Traceback (most recent call last)"
EXCEPTION: Final = re.compile(r"^(?:[\w.]*\.)?\w*(?:Error|Exception|Exhausted|Timeout)\b")
RAISED: Final = re.compile(r"\w(?:Error|Exception)\b")
EXPLAINING: Final = (
    UNMET, EXCEPTION, re.compile(r"^(?:E|Error): "), re.compile(r"\bFATAL\b"), COMPLAINT,
    RAISED, re.compile(r"command not found|No such file or directory|[Pp]ermission denied"),
    re.compile(r"^Failed to \w+|^Job for \S+ failed|[Dd]oes not exist"),
)  # fmt: skip
# Lines that follow from a reason given before them.
GENERIC: Final = re.compile(
    r"^(?:error: )?hook exit status|^Hook error:$|^error: exit status|Sub-process \S+ returned an error code|CalledProcessError"
    r"|^Uncaught exception while in charm code|^Traceback \(most recent|^Errors were encountered while processing"
    r"|^dpkg-deb: error: paste subprocess"  # dpkg stops reading a package that it refuses
    r"|^SystemExit|The following information from --solver|^(?:E|Error): Unable to correct problems|returned non-zero exit status|^needrestart is being skipped"
)


@dataclass(frozen=True)
class HookFailure:
    """The line that explains a failure; ``is_labs``: a mirror or the machine is at fault."""

    line: str
    is_labs: bool = False


@dataclass(frozen=True)
class UnitLogEntry:
    """An entry of a log; a line that belongs to no entry has no module."""

    module: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.lines[0]


def failure(lines: Sequence[str]) -> HookFailure:
    """Return the reason of the last failed hook in a log; an empty line for an empty log."""
    found = [*entries(CONTROLS.sub("", line) for line in lines)]
    said = [line for entry in of_failed_hook(found) for line in entry.lines if line.strip()]
    reason = _reason(said, found) or HookFailure(lines[-1].strip()[:MOST_CHARACTERS] if lines else "")
    unread = max((number for number, line in enumerate(said) if UNREAD.search(line)), default=None)
    if UNREAD.search(reason.line):
        return replace(reason, is_labs=True)
    if unread is None or not LACKING.search(reason.line) or any(map(READ.search, said[unread:])):
        return reason
    return HookFailure(_first_of_block(said, unread), is_labs=True)


def _reason(said: Sequence[str], found: Sequence[UnitLogEntry]) -> HookFailure | None:
    """Return the reason in the lines of a failed hook, by the kinds of lines; ``found``: all entries of the log."""
    ends = [entry.text for entry in found if FAILED.search(entry.text) and not entry.text.startswith(AWAITING)]
    if ends and (STOPPED.search(ends[-1]) or LABS.search(ends[-1])):
        return HookFailure(ends[-1], is_labs=True)
    raised, begun = _raised(said), False
    for number in range(len(said) - 1, -1, -1):
        line = said[number]
        begun = begun or bool(BEGUN.search(line))
        if NOISE.search(line) or (begun and OF_APT.search(line)):  # apt was run again, and got further
            continue
        # Its details are on standard output, and can come before it.
        is_head = number > 0 and line.startswith("error: ") and line.endswith(":")
        if LABS.search(line) or (is_head and LABS.search(said[number - 1])):
            return HookFailure(_first_of_block(said, number), is_labs=True)
        if number and UNPROCESSED.search(said[number - 1]) and not DEPENDENT.search(line):
            return HookFailure(_of_package(said, number - 1))
        if UNPROCESSED.search(line) or GENERIC.search(line):
            continue
        if number in raised or any(pattern.search(line) for pattern in EXPLAINING):
            return HookFailure(_with_details(said, number))
    last_run = takewhile(lambda line: not BEGUN.search(line), reversed(said))
    of_apt = [line for line in last_run if line.startswith(("E: ", "Error: "))][::-1]
    waiting = [line for line in said if line.startswith("dpkg: dependency problems")]
    last = waiting[-1:] or of_apt[-1:] or [said[number] for number in raised][-1:] or ends[-1:] or said[-1:]
    return HookFailure(last[0].strip()[:MOST_CHARACTERS]) if last else None


def _raised(said: Sequence[str]) -> list[int]:
    """Return the numbers of the lines that end tracebacks: exceptions, whatever they are called."""
    found = []
    inside = False
    for number, line in enumerate(said):
        if inside and not line[0].isspace():
            found.append(number)
        inside = line.startswith(TRACEBACK) or (inside and line[0].isspace())
    return found


def _with_details(said: Sequence[str], number: int) -> str:
    """Return a line; where it ends in a colon, with the indented ones after it, or else the next one."""
    text = said[number].strip()
    if text.endswith(":"):
        after = said[number + 1 :]
        details = [*takewhile(lambda line: line[0].isspace() or line.startswith("- "), after)]
        details = details or [line for line in after[:1] if not (GENERIC.search(line) or NOISE.search(line))]
        text = " ".join([text, *(line.strip() for line in details)])
    return text[:MOST_CHARACTERS]


def entries(lines: Iterable[str]) -> Iterator[UnitLogEntry]:
    """Yield the entries of a log; lines without a head belong to the entry before them."""
    module, text = "", list[str]()
    for line in lines:
        if match := ENTRY.match(line):
            if text:
                yield UnitLogEntry(module, tuple(text))
            module, text = match["module"], [match["text"]]
        else:
            text.append(line)
    if text:
        yield UnitLogEntry(module, tuple(text))


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
    """Return the first of the lines on a mirror or the machine that lead to one."""
    while number and LABS.search(said[number - 1]):
        number -= 1
    return said[number].strip()[:MOST_CHARACTERS]


def _of_package(said: Sequence[str], number: int) -> str:
    """Return the error of a package that dpkg could not process, with what its script printed that tells most."""
    printed = [*takewhile(lambda line: not BEGUN.search(line), reversed(said[:number]))]
    printed = [line.strip() for line in printed if not line.startswith("Processing ")]
    output = next(filter(RAISED.search, printed), printed[0] if printed else "")
    return " ".join(filter(None, [said[number], said[number + 1].strip(), f"({output})" if output else ""]))[
        :MOST_CHARACTERS
    ]
