"""Cases: the results of tests, tags, steps or checks, and the file of cases with one JSON object per line (schema 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
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


STAMP: Final = re.compile(r"-20\d{12}$")
"""The time of the run, with which unittest-xml-reporting ends the name of each suite."""
VOLATILE: Final = re.compile(
    r"(?<=\bat )0x[0-9a-fA-F]{6,16}\b"  # an object of Python
    r"|\b0x(?:0000)?(?:7[ef]|5[5-9a-f])[0-9a-f]{10}\b"  # a pointer of a program
    r"|(?<=[\w$\])}])@(?=[a-f]*[0-9])[0-9a-f]{6,8}(?![\w.@-])"  # an object of Java without a toString of its own
    r"|(?<=\$\$Lambda)[$/][\w/$]+"  # likewise
    r"|(?<![\w./-])/tmp/[^\s/\]),:'\"]+"
    r"|(?<![\w./-])/build/[^\s/]+/[^\s/\]),:'\"]+"  # where sbuild builds: the version is in it
    r"|(?:(?<=\blocalhost:)|(?<=\b127\.0\.0\.1:)|(?<=\[::1\]:))(?:3[3-9]|[456]\d)\d{3}\b"  # a port that was free
)
"""What names have of one run: the same test of another run has another name, and each run would have new tests."""

HINTS: Final = ("0x", "@", "Lambda", "/tmp/", "/build/", "localhost:", "127.0.0.1:", "[::1]:")  # noqa: S108 - to search few names
COMPLAINT: Final = re.compile(r"[^/]*/[^/]*/\[[a-z ]+\]")
UNREAD: Final = frozenset({"[unreadable]", "[damaged]"})
"""The cases of results that could not be read, as a whole or to the end."""


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
        But what only one run has in it, see `VOLATILE`, is ``*``: tests that differ in nothing else are one.
        """
        return _identity(self.suite, self.classname, self.name)


@lru_cache(maxsize=50_000)
def _identity(suite: str, classname: str, name: str) -> str:
    suite, classname = (_escaped(_lasting(STAMP.sub("", part))) for part in (suite, classname))
    return f"{suite}/{classname}/{_lasting(name)}"


def _lasting(text: str) -> str:
    return VOLATILE.sub("*", text) if any(hint in text for hint in HINTS) else text


def name_of(identity: str) -> str:
    """Return the name in the identity of a test; it can have slashes of its own, as a subtest of Go has."""
    return identity.split("/", 2)[-1]


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F") if "/" in text or "%" in text else text


def is_complaint(identity: str) -> bool:
    """Return whether there is a case only where something is wrong: a tag of lintian, or what a suite as a whole has, as ``[counts]``."""
    return identity.startswith("lintian/") or COMPLAINT.fullmatch(identity) is not None


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
