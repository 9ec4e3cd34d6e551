"""Cases: what an exercise has found, each with its time and its evidence, written down as it goes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from lab.errors import Failed, LabError
from scripts.cloud import Refused, told

FORMAT = "cases"
FILE = "cases.jsonl"
LONGEST = 400


@dataclass
class Case:
    """One thing that is tried: ``output`` is what shows how it went.

    The names are those of the cases that reports are made of.
    """

    suite: str
    name: str
    outcome: Literal["passed", "failed", "error"] = "passed"
    seconds: float = 0.0
    message: str = ""
    output: str = ""


class Over(Exception):
    """A case did not pass, and those behind it would prove nothing."""


@dataclass
class Cases:
    """The cases of one exercise, in a file that has one of them a line."""

    suite: str
    path: Path
    made: list[Case] = field(default_factory=list)

    @contextmanager
    def case(self, name: str) -> Iterator[Case]:
        """Try something; Failed, and an assertion, say that the thing tested is at fault.  Raises Over."""
        case, began = Case(self.suite, name), time.monotonic()
        try:
            with told():
                yield case
        except (Failed, AssertionError) as error:
            case.outcome, case.message = "failed", str(error) or "it is not so"
        except (LabError, OSError) as error:
            case.outcome, case.message = "error", str(error)
        case.seconds = round(time.monotonic() - began, 3)
        self.made.append(case)
        with self.path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(json.dumps(asdict(case)) + "\n")
        said = f"{case.outcome} {case.seconds:.2f} s  {case.suite}: {name}: {case.message or case.output}"
        print(said[:LONGEST], flush=True)  # noqa: T201 - into the step's log
        if case.outcome != "passed":
            raise Over


@contextmanager
def refused(status: int) -> Iterator[None]:
    """Something that a server must refuse with a status.  Raises Failed when it does not."""
    try:
        with told():
            yield
    except Refused as error:
        if error.status != status:
            raise
    else:
        raise Failed("it is taken")


def read(path: Path) -> list[Case]:
    """The cases of a file; none when it is not there."""
    return [Case(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
