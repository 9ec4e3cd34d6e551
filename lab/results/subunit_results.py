"""The outcome of a test in a subunit stream, and the reason of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lab.results import subunit

Outcome = Literal["passed", "failed", "error", "skipped"]
OUTCOMES: Mapping[str, Outcome] = {
    "success": "passed",
    "failure": "failed",
    "error": "error",  # version 1 alone
    "uxsuccess": "failed",
    "skip": "skipped",
    "xfail": "skipped",
}


def outcome(status: str) -> Outcome:
    """Return the outcome of a status; a test that did not end is an error."""
    return OUTCOMES.get(status, "error")


def why(status: str, reason: str, evidence: str) -> str:
    """Return a message: the reason that the test gives, else the complaint of a traceback."""
    if status == "exists":
        return "it was listed, but did not begin"
    if status not in OUTCOMES:
        return "it began, but did not end"
    return reason.strip("\n") or subunit.complaint(evidence)


def is_broken(file: str, text: str) -> bool:
    """Return whether a file of no test is an error, such as the import errors of discovery."""
    return "error" in file.lower() or subunit.TRACEBACK in text
