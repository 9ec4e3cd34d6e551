"""Cases: the results of tests, tags, steps or checks, and the file of cases with one JSON object per line (schema 1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

FORMAT: Final = "cases"
SCHEMA: Final = 1
MOST_CASES: Final = 100_000
"""The cases of one result that are read: they take less than 300 MB."""
Outcome = Literal["passed", "failed", "error", "skipped"]
Nuance = Literal[
    "",
    "superficial",  # passed, and proves little (autopkgtest)
    "flaky",  # both outcomes, or known to be so
    "expected-failure",
    "unexpected-success",
    "timeout",
    "bad-package",  # the package tested cannot even be installed
    "testbed",  # the lab's fault
    "rerun",  # an earlier try of what was tried again
    "todo",  # TAP
]


class Case(BaseModel):
    """The result of one test.

    ``outcome`` is an outcome of JUnit, ``nuance`` a detail of the native format.  ``evidence`` explains a failure;
    ``output`` and ``errors`` are the test's output.  Texts are any Unicode: writers make them legal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    classname: str
    name: str
    outcome: Outcome
    nuance: Nuance = ""
    seconds: float = 0.0
    message: str = ""
    evidence: str = ""
    output: str = ""
    errors: str = ""
    started: str = ""
    """UTC, RFC 3339; "" in formats without times."""

    @property
    def id(self) -> str:
        """The identity of a test across builds: ``SUITE/CLASSNAME/NAME``.

        A slash in the suite or the class is ``%2F``, and a percent sign ``%25``: no two tests have the same identity.
        """
        return f"{_escaped(self.suite)}/{_escaped(self.classname)}/{self.name}"


def name_of(identity: str) -> str:
    """Return the name in the identity of a test; it can have slashes of its own, as a subtest of Go has."""
    return identity.split("/", 2)[-1]


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F") if "/" in text or "%" in text else text


class NotCases(ValueError):
    """A line of a file is no case of this schema; the message completes a sentence that begins with the file's name."""


def line(case: Case) -> str:
    """Return a case as a line of a file of cases."""
    return json.dumps({"schema": SCHEMA, **case.model_dump(exclude_defaults=True)}) + "\n"


def append(path: Path, case: Case) -> None:
    """Add a case to a file."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line(case))


def parse(text: str) -> Iterator[Case]:
    """Yield the cases of a file's content.  Raises NotCases."""
    for number, written in enumerate(text.splitlines(), start=1):
        try:
            fields = json.loads(written)
            schema = fields.pop("schema")
            case = Case(**fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise NotCases(f"has no case on line {number}") from None
        if schema != SCHEMA:
            raise NotCases(f"has schema {schema} on line {number}; expected {SCHEMA}")
        yield case
