"""The findings of the linter for people and programs: equal ones once, without those that a file excepts.

The file is TOML, because Jenkins Job Builder reads all YAML files of a directory::

    [[exception]]
    job = "karaf-*"                         # a pattern of names; default: all
    what = "*a password of sshpass*"        # a pattern of the problem; default: all
    where = "builders/*"                    # a pattern of the place; default: all
    reason = "the default password of the tested program"
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from generator.lint import Complaint, Severity
from lab.base.errors import ConfigurationError

NAME: Final = "qalab-check.toml"


class LintException(BaseModel):
    """A pattern of findings that are no problem, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    job: str = "*"
    what: str = "*"
    where: str = "*"
    reason: str = Field(min_length=1)

    def covers(self, complaint: Complaint) -> bool:
        name = complaint.item.partition(" ")[2]
        pairs = ((name, self.job), (complaint.what, self.what), (complaint.where, self.where))
        return all(fnmatch.fnmatchcase(text, pattern) for text, pattern in pairs)

    def __str__(self) -> str:
        return ", ".join(f"{key} {value}" for key, value in self.model_dump(exclude={"reason"}).items() if value != "*")


class ExceptionFile(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    exception: tuple[LintException, ...] = ()


@dataclass(frozen=True)
class LintFinding:
    """A problem with all items that have it at the same place."""

    severity: Severity
    items: tuple[str, ...]
    where: str
    what: str
    hint: str

    def __str__(self) -> str:
        more = f" and {len(self.items) - 1} more" if len(self.items) > 1 else ""
        place = f": {self.where}" if self.where else ""
        return f"{self.items[0]}{more}{place}: {self.what} ({self.hint})"


def exceptions(paths: Sequence[Path], named: Path | None) -> tuple[LintException, ...]:
    """Return the exceptions of a file, or of the file `NAME` in the first directory.  Raises ConfigurationError."""
    path = named or paths[0] / NAME
    if named is None and not path.is_file():
        return ()
    try:
        return ExceptionFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).exception
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None


def findings(complaints: Iterable[Complaint], excepted: Sequence[LintException]) -> list[LintFinding]:
    """Return the problems that no exception covers, each once, errors first."""
    items: dict[tuple[Severity, str, str, str], list[str]] = {}
    for one in complaints:
        if not any(exception.covers(one) for exception in excepted):
            items.setdefault((one.severity, one.where, one.what, one.hint), []).append(one.item)
    made = [
        LintFinding(severity, tuple(names), where, what, hint) for (severity, where, what, hint), names in items.items()
    ]
    return sorted(made, key=lambda one: (one.severity, one.items[0], one.where, one.what))


def unused(complaints: Sequence[Complaint], excepted: Sequence[LintException]) -> Iterator[str]:
    """Yield exceptions that cover nothing: what they excepted is gone."""
    for exception in excepted:
        if not any(exception.covers(one) for one in complaints):
            yield f"the exception for {exception or 'everything'} ({exception.reason}) covers nothing: remove it"
