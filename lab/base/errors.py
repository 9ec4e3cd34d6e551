"""Errors are types, and types are exit codes.

Whatever a user can meet is raised as one of these, with a message of one line
that says where, what, and what would be right.  Anything else is a bug of ours.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Verdict = Literal["passed", "failed", "unstable", "error", "aborted", "skipped"]


class LabError(Exception):
    """What a user can meet.  ``hint`` says what to do about it."""

    exit_code: ClassVar[int]
    verdict: ClassVar[Verdict]

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message} ({self.hint})" if self.hint else message


class Failed(LabError):
    """The thing tested is at fault."""

    exit_code = 1
    verdict = "failed"


class ConfigurationError(LabError):
    """The call or the lab's description is wrong."""

    exit_code = 2
    verdict = "error"


class InfrastructureError(LabError):
    """The lab is at fault; trying again may help."""

    exit_code = 3
    verdict = "error"


class Unstable(LabError):
    """It ran, and some tests failed."""

    exit_code = 4
    verdict = "unstable"


class Aborted(LabError):
    """Somebody, or a signal, ended it."""

    exit_code = 130
    verdict = "aborted"
