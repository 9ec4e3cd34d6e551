"""Selection of the line of a service's output that best explains its failure."""

from __future__ import annotations

import re

from lab.base.run import COMPLAINT, LONGEST

# $1: a unit, $2: a log file name; the log is older than the journal of a unit that fails before it opens the log.
SHOW = (
    'find /var/log -name "$2" -exec tail -n 50 {} +; journalctl --quiet --no-pager --output=cat --lines=50 --unit="$1"'
)
# The prefix of a message from oslo.log: time, process, level, module, request context.
PREFIX = re.compile(r"^[\d-]+ [\d:.]+ \d+ [A-Z]+ \S+ ?(\[[^\]]*\] ?)?")
# Messages about a unit from systemd, not from the unit itself.
SYSTEMD_SAYS = ("Main process exited", "Failed with result", "Scheduled restart job", "Stopped ", "Failed to start ",
                "Starting ", "Started ", "Start request repeated", "Consumed ", "Control process exited",
                "Deactivated successfully")  # fmt: skip


def failure_line(shown: str, unit: str) -> str:
    """Return the last complaint in a log and a journal, else the last line from the unit itself."""
    lines = [PREFIX.sub("", line).strip() for line in shown.splitlines() if not _is_of_systemd(line, unit)]
    own = [line for line in lines if line]
    complaints = [line for line in own if COMPLAINT.search(line)]
    return (complaints or own or ["its journal says nothing"])[-1][:LONGEST]


def _is_of_systemd(line: str, unit: str) -> bool:
    said = line.removeprefix(f"{unit}: ")
    return said != line or said.startswith(SYSTEMD_SAYS)
