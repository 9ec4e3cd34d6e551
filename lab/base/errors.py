"""Errors as types, each with an exit code.

An error that a user can meet is one of these types, with a message of one line that names the place, the problem and the
solution.  Any other exception is a bug in qalab.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Verdict = Literal["passed", "failed", "unstable", "error", "aborted", "skipped"]


class LabError(Exception):
    """An error that a user can meet.  ``hint`` is the solution."""

    exit_code: ClassVar[int]
    verdict: ClassVar[Verdict]

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message} ({self.hint})" if self.hint else message


class Failed(LabError):
    """The tested software is at fault."""

    exit_code = 1
    verdict = "failed"


class ConfigurationError(LabError):
    """The call or the lab's description is wrong."""

    exit_code = 2
    verdict = "error"


class InfrastructureError(LabError):
    """The lab is at fault; a retry can help."""

    exit_code = 3
    verdict = "error"


class Refused(ConfigurationError):
    """A server refuses something permanently."""


class NotNow(InfrastructureError):
    """A request failed; the reason is its content or the server."""


class Throttled(InfrastructureError):
    """A server accepts nothing for some ``seconds``; 0: unknown."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Unstable(LabError):
    """The tests ran, and some failed."""

    exit_code = 4
    verdict = "unstable"


class Aborted(LabError):
    """A user or a signal ended the work."""

    exit_code = 130
    verdict = "aborted"
