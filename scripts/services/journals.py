"""The choice of the line in a service's output that best explains a failure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.base.run import COMPLAINT, HINT, LONGEST
from lab.base.text import without_middle

# $1: the log file of a unit, which is older than the journal of a unit that fails early; the rest: see `of_unit`.
SHOW = """\
find /var/log -name "$1" -exec tail -n 50 {} +
shift
journalctl --quiet --no-pager --output=cat --lines=50 "$@"
"""
# The prefix of oslo.log: time, process, level, logger, and the context of the request.
PREFIX = re.compile(r"^[\d-]+ [\d:.]+ \d+ [A-Z]+ \S+ ?(\[[^\]]*\] ?)?")
# The marks of nginx, Apache and HAProxy, of PostgreSQL, and of many others: the line after it only says that it ends.
SEVERE = re.compile(r"\[(?:\w+:)?(?:emerg|alert|crit|ALERT)\]|\b(?:FATAL|CRITICAL)\b")
# What many daemons say instead, and when they end.
MISHAP = re.compile(
    r"\b(?:can't|could not|unable to|failed|invalid|not found|in use|refused|not permitted"
    r"|shutting down|exiting|abort(?:ing|ed))\b",
    re.IGNORECASE,
)
KILLED = "Killed"  # what a shell prints of its program
# What Apache notes at each start of a machine without a full name, and what PostgreSQL proposes.
NOTE = re.compile(r"\bAH00558: |\bHINT: ")
# Messages of systemd about a unit, not of the unit.
SYSTEMD_SAYS = ("Main process exited", "Failed with result", "Scheduled restart job", "Stopped ", "Failed to start ",
                "Starting ", "Started ", "Start request repeated", "Consumed ", "Control process exited",
                "Deactivated successfully")  # fmt: skip
ABOUT_UNIT = ("Stopping", "Finished", "Listening on", "Closed", "Reloading", "Reloaded", "Mounting", "Mounted",
              "Unmounting", "Failed to mount", "Failed to listen on")  # fmt: skip
NOTHING = "its journal says nothing"
STOPPED = "it was stopped, by systemctl or for another unit"
TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
# The code in a traceback, also behind what Apache puts before each line: the exception after it is the error.
FRAME = re.compile(r"(?:\[[^\]]*\] ?)*(?: {4}| {2}File \")")

# A unit that systemd does not start.
CONDITION = re.compile(r"unmet condition check \((?P<condition>.*)\)")
# Conditions about the machine, which no package can fulfil: see systemd.unit(5).
OF_MACHINE = re.compile(
    r"Condition(?:Virtualization|Security|Capability|Kernel\w*|Firmware|Host|ControlGroup\w*|CPU\w*)="
)


def of_unit(unit: str) -> tuple[str, ...]:
    """Return the matches of journalctl(1) for a unit's messages, and systemd's about it.

    ``--unit`` leaves out what systemd says about a program that it could not start, if that process is gone before
    journald has asked for its unit.
    """
    return (f"_SYSTEMD_UNIT={unit}", "+", f"UNIT={unit}", "+", f"COREDUMP_UNIT={unit}")


def unmet_condition(output: str) -> str:
    """Return the condition of a unit that was not met, from its journal; "" when the journal does not name it."""
    return next((match["condition"] for match in CONDITION.finditer(output)), "")


def exception(output: str) -> str:
    """Return the exception that ends the first traceback in a journal: its first line that is not indented; "" for none."""
    lines = iter(output.splitlines())
    any(TRACEBACK.search(line) for line in lines)
    return next((line for line in lines if line.strip() and not line.startswith(" ")), "")


def failure_line(output: str, unit: str) -> str:
    """Return the error in a log and a journal that explains a failure, else the last line of the unit's own output.

    Of errors in a row it is the first, as each of the others follows from the one before; of several rows, the last
    with an error of the highest severity.
    A unit without output has systemd's reason why its program could not be started, or how that ended.  One that was
    stopped and reports no error did nothing wrong itself.
    """
    written = [line for line in output.splitlines() if line.strip() and not (NOTE.search(line) or HINT.search(line))]
    if KILLED in map(str.strip, written):
        return f"{KILLED} (by SIGKILL, as for lack of memory)"
    texts = ["" if _is_of_systemd(line, unit) else PREFIX.sub("", line) for line in written]
    lines = ["" if FRAME.match(text) else text.strip() for text in texts]
    own = [line for line in lines if line]
    complaints = _first_of_last_row(lines)
    prefix = f"{unit}: "
    about = [line.removeprefix(prefix) for line in output.splitlines() if line.startswith(prefix)]
    reasons = [line for line in about if not line.startswith(SYSTEMD_SAYS)]
    stopped = [STOPPED] if _is_stopped(output, unit) else []
    exits = [line for line in about if "process exited, " in line]
    return without_middle((complaints or stopped or own or reasons[:1] or exits or [NOTHING])[-1], LONGEST)


def _first_of_last_row(lines: Sequence[str]) -> list[str]:
    """Return the first of the uninterrupted row of errors that ends with the last most severe one; none without errors."""
    kinds = (SEVERE, COMPLAINT, MISHAP)
    rank = [next((number for number, kind in enumerate(kinds) if kind.search(line)), len(kinds)) for line in lines]
    most = min(rank, default=len(kinds))
    if most == len(kinds):
        return []
    at = max(number for number, each in enumerate(rank) if each == most)
    while at and rank[at - 1] < len(kinds):
        at -= 1
    return [lines[at]]


def _is_stopped(output: str, unit: str) -> bool:
    """Return whether the last order that systemd carried out for a unit was to stop it."""
    orders = re.findall(rf"^(Stopping|Starting|Started) {re.escape(unit)}(?: - .*)?\.+$", output, re.MULTILINE)
    return orders[-1:] == ["Stopping"]


def _is_of_systemd(line: str, unit: str) -> bool:
    text = line.removeprefix(f"{unit}: ")
    return text != line or text.startswith((*SYSTEMD_SAYS, *(f"{word} {unit}" for word in ABOUT_UNIT)))
