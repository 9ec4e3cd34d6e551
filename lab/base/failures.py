"""The failure policy: the verdict, the exit code and the one line of any exception, and the log of a bug.

Errors of `lab.base.errors` have their own exit codes; an OSError, and a database that is damaged, locked or on a full
disk, are the machine's fault (3); any other exception is a bug
in qalab: exit code 70 (EX_SOFTWARE of sysexits(3)), never retried, with its traceback in a log.
"""

from __future__ import annotations

import platform
import re
import shlex
import sqlite3
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lab import __version__
from lab.base import environment, files, resources
from lab.base.errors import Aborted, InfrastructureError, LabError, Verdict

EX_SOFTWARE = 70
LONGEST_REASON = 300
SECRET = re.compile(r"pass|pwd|secret|token|key|credential|auth|^-[pu]$", re.IGNORECASE)
LOGIN = re.compile(r"(://)[^/@\s]+@")
SETTING = re.compile(r"([^=\s]+)=(.+)", re.DOTALL)
HIDDEN = "[hidden]"


@dataclass(frozen=True)
class Failure:
    """The meaning of an exception."""

    verdict: Verdict
    exit_code: int
    message: str
    bug: bool = False


class Bug(LabError):
    """An unexpected exception, whose traceback is in a log: a bug in qalab, never retried."""

    exit_code = EX_SOFTWARE
    verdict = "error"


@contextmanager
def caught(*passing: type[Exception]) -> Iterator[None]:
    """Turn an OSError or a damaged database into InfrastructureError, and any other exception but a `LabError` into a logged `Bug`.

    ``passing``: exceptions that the caller handles itself.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (LabError, *passing)):
            raise
        found = failure(error)
        if not found.bug:
            raise InfrastructureError(found.message) from error
        raise Bug(f"{found.message}; {write_log(report(error, environment.arguments()))}") from error


def failure(error: BaseException) -> Failure:
    """Return the meaning of an exception; the message of a bug is one line."""
    if isinstance(error, LabError):
        return Failure(error.verdict, error.exit_code, str(error))
    if isinstance(error, KeyboardInterrupt):
        return Failure(Aborted.verdict, Aborted.exit_code, "interrupted")
    if isinstance(error, OSError):
        message = f"{error.strerror or error}: {error.filename or 'this machine'}"
        return Failure(InfrastructureError.verdict, InfrastructureError.exit_code, message)
    if type(error) in {sqlite3.DatabaseError, sqlite3.OperationalError}:
        return Failure(InfrastructureError.verdict, InfrastructureError.exit_code, f"database: {error}")
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    reason = reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
    return Failure("error", EX_SOFTWARE, f"a bug in qalab: {reason}", bug=True)


def report(error: BaseException, argv: Sequence[str]) -> str:
    """Return the content of a bug's log: the command line, the versions, and the traceback."""
    head = {
        "qalab": version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "time": environment.now().isoformat(),
        "called": shlex.join(without_secrets(argv)),
    }
    lines = [f"{name}: {value}" for name, value in head.items()]
    return "\n".join([*lines, "", "".join(traceback.format_exception(error))])


def write_log(text: str) -> str:
    """Write the log of a bug below the state home; return a phrase with its path, or with the reason of a failure."""
    moment = environment.now().strftime("%Y%m%dT%H%M%S.%fZ")
    path = environment.state_home() / "bugs" / f"{moment}-{environment.process()}.log"
    try:
        files.write_atomic(path, text.encode("utf-8", "backslashreplace"), mode=0o600)
    except OSError as error:
        return f"its log could not be written: {failure(error).message}"
    return f"see {path}"


def without_secrets(argv: Sequence[str]) -> list[str]:
    """Return a command line without logins in URLs, and without the values of options that are named like a secret."""
    shown: list[str] = []
    hide = False
    for word in argv:
        setting = SETTING.fullmatch(word)
        if hide and not word.startswith("--"):
            shown.append(HIDDEN)
        elif setting and SECRET.search(setting[1]):
            shown.append(f"{setting[1]}={HIDDEN}")
        else:
            shown.append(LOGIN.sub(rf"\1{HIDDEN}@", word))
        hide = word.startswith("-") and not setting and bool(SECRET.search(word))
    return shown


def version() -> str:
    """Return qalab's version and directory."""
    return f"{__version__} ({resources.ROOT})"
