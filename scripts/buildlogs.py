"""What sbuild's log says: how a build went, why it failed, and whose fault that is.

The package's fault (``failed``): a build that fails or stalls, build dependencies that nobody has.
The lab's (``error``): a mirror that cannot be reached, a full disk, a chroot that does not work, and
a build that was killed; one that kills itself cannot be told from that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.errors import Verdict

TAIL_LINES = 200
LONGEST = 200
FULL = "No space left on device"
SCARCE = "E: Disk space is probably not sufficient for building."
BUILD_BEGINS = "\nCommand: dpkg-buildpackage "
BUILD_ENDS = "\nBuild finished at "

SUMMARY = re.compile(r"^(Status|Fail-Stage|Build-Time|Install-Time): (.*)$", re.MULTILINE)
UNMET = re.compile(r"^The following packages have unmet dependencies:\n((?: .*\n)+)", re.MULTILINE)
OF_APT = re.compile(r"^ *(sbuild-build-depends-\S+ : )?(Depends: )?")
STALLED = re.compile(r"E: Build killed with signal \w+ after \d+ minutes of inactivity")
KILLED = re.compile(
    r"make(\[\d+\])?: \*\*\* .*\] (Killed|Terminated)"
    r"|.*: Killed signal terminated program "
    r"|.*: internal compiler error: Killed"
    r"|dpkg-buildpackage: error: .* killed by signal "
)
COMPLAINT = re.compile(
    r".*(\b(error|Error|ERROR|FAIL|FAILED|fatal)\b|undefined reference|No such file|Permission denied"
    r"|: not found$|\*\*\* missing separator)"
)
MAKE = re.compile(r"make(\[\d+\])?: \*\*\* ")
DPKG = "dpkg-buildpackage: error: "
# Of failures that others have explained.
SECOND_HAND = re.compile(
    r"make(\[\d+\])?: (?!.*: (No such file|Permission denied))|(dh_auto_\w+|dpkg-buildpackage): |E: "
)


@dataclass(frozen=True)
class Judgement:
    """How a build went, and whether trying again may help; ``summary`` is sbuild's own."""

    verdict: Verdict
    message: str = ""
    again: bool = False
    summary: Mapping[str, str] = field(default_factory=dict)


def summary(log: str) -> dict[str, str]:
    """Lines of the summary at the end of sbuild's log; empty when it did not come so far."""
    _, found, text = log.rpartition("\n| Summary ")
    return dict(SUMMARY.findall(text)) if found else {}


def unmet(log: str) -> str:
    """The build dependencies that apt cannot satisfy, with its reasons; empty when it could."""
    found = UNMET.search(log)
    return "; ".join(OF_APT.sub("", line) for line in found[1].splitlines()) if found else ""


def build_output(log: str) -> list[str]:
    """What dpkg-buildpackage said."""
    return log.partition(BUILD_BEGINS)[2].rpartition(BUILD_ENDS)[0].splitlines()


def telling(said: Sequence[str]) -> str:
    """Why a build failed: the first complaint near its end, and make's innermost word on it."""
    tail = said[-TAIL_LINES:]
    first = next((line for line in tail if COMPLAINT.match(line) and not SECOND_HAND.match(line)), "")
    make = next((line for line in tail if MAKE.match(line)), "")
    dpkg = next((line for line in tail if line.startswith(DPKG)), "")
    last = make or dpkg
    return f"{first.strip()[:LONGEST]} ({last[:LONGEST]})" if first and last else (first or last)[:LONGEST]


def complaint(said: Sequence[str]) -> str:
    """The line of apt, mmdebstrap or sbuild that tells most."""
    errors = [line for line in said if line.startswith("E: ")]
    full = [line for line in said if FULL in line]
    fetching = [line for line in errors if "Failed to fetch" in line]
    return [*full, *fetching, *errors, *reversed(said), "it did not say why"][0].removeprefix("E: ")[:LONGEST]


def judge(log: str, status: int) -> Judgement:
    """How a build went, from sbuild's log and its exit status."""
    end, said = summary(log), log.splitlines()
    stage = end.get("Fail-Stage", "")
    if not end:
        return Judgement("error", f"sbuild ended with status {status} and no summary: {complaint(said)}", again=True)
    if end["Status"] == "successful" and status == 0:
        return Judgement("passed", summary=end)
    if any(FULL in line or line == SCARCE for line in said[-TAIL_LINES:]):
        return Judgement("error", FULL, summary=end)
    if stage == "build":
        verdict, message = _build_failure(build_output(log))
    elif stage == "install-deps" and (missing := unmet(log)):
        verdict, message = "failed", f"unsatisfiable build dependencies: {missing}"
    elif stage in {"arch-check", "unpack"}:
        verdict, message = "failed", complaint(said)
    else:
        verdict, message = "error", f"sbuild failed at {stage or end['Status']}: {complaint(said)}"
    return Judgement(verdict, message, verdict == "error", end)


def _build_failure(said: Sequence[str]) -> tuple[Verdict, str]:
    tail = said[-TAIL_LINES:]
    if stalled := next((line for line in tail if STALLED.match(line)), ""):
        return "failed", stalled.removeprefix("E: ")
    if killed := next((line for line in tail if KILLED.match(line)), ""):
        return "error", f"the build was killed: {killed[:LONGEST]}"
    if not any(line.startswith(DPKG) for line in tail):
        return "error", "the build was killed: dpkg-buildpackage ended without a word"
    return "failed", f"build failed: {telling(said)}"
