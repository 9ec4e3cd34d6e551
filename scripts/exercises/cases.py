"""Cases of an exercise, each with its time and its output, written as the exercise proceeds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.results import cases
from lab.results.cases import Case, NotCases, Nuance, Outcome
from scripts.openstack.cloud import CloudRefused, sdk_errors_as_failures

FORMAT = cases.FORMAT
FILE = "cases.jsonl"
SUITE = "exercise"
LONGEST = 400


@dataclass
class Attempt:
    """A case in progress; ``output`` shows what happened, ``seconds`` is the time of what happened before the case."""

    output: str = ""
    seconds: float = 0.0


class Over(Exception):
    """The end of an exercise: a case did not pass, and the following ones would prove nothing."""


@dataclass(frozen=True)
class Cases:
    """The cases of one exercise, in a file that has one of them a line."""

    exercise: str
    path: Path

    @contextmanager
    def case(self, name: str) -> Iterator[Attempt]:
        """Try something; Failed, and an assertion, say that the thing tested is at fault.  Raises Over."""
        attempt, began = Attempt(), time.monotonic()
        outcome: Outcome = "passed"
        message = ""
        try:
            with sdk_errors_as_failures():
                yield attempt
        except (Failed, AssertionError) as error:
            outcome, message = "failed", str(error) or "it is not so"
        except (LabError, OSError) as error:
            outcome, message = "error", str(error)
        seconds = attempt.seconds + time.monotonic() - began
        case = made(self.exercise, name, outcome, message, attempt.output, seconds)
        cases.append(self.path, case)
        text = f"{outcome} {case.seconds:.2f} s  {self.exercise}: {name}: {message or attempt.output}"
        print(text[:LONGEST], flush=True)  # noqa: T201 - into the step's log
        if outcome != "passed":
            raise Over


def made(  # noqa: PLR0913, PLR0917 - what a case is, in its order
    exercise: str, name: str, outcome: Outcome, message: str = "", output: str = "", seconds: float = 0.0
) -> Case:
    """Return a case of an exercise; an error is the lab's fault."""
    nuance: Nuance = "testbed" if outcome == "error" else ""
    return Case(
        suite=SUITE,
        classname=exercise,
        name=name,
        outcome=outcome,
        nuance=nuance,
        seconds=round(seconds, 3),
        message=message,
        evidence="" if outcome == "passed" else output,
        output=output if outcome == "passed" else "",
    )


def unreached(exercise: str, names: Iterable[str], found: Sequence[Case]) -> Iterator[Case]:
    """Yield a skipped case for each name that an exercise has no case of, with the reason."""
    told = {case.name for case in found}
    bad = next((case.name for case in found if case.outcome in {"failed", "error"}), "")
    reason = f"{bad}: it did not pass" if bad else "the exercise ended before"
    for name in names:
        if name not in told:
            yield made(exercise, name, "skipped", f"not reached: {reason}")


@contextmanager
def refused(status: int) -> Iterator[None]:
    """Expect a server to refuse the request with a status.  Raises Failed when it does not."""
    try:
        with sdk_errors_as_failures():
            yield
    except CloudRefused as error:
        if error.status != status:
            raise
    else:
        raise Failed("it is taken")


def read(path: Path) -> list[Case]:
    """Return the cases of a file; none when the file does not exist.  Raises InfrastructureError for a torn file."""
    try:
        return list(cases.parse(path.read_text(encoding="utf-8"))) if path.exists() else []
    except NotCases as error:
        raise InfrastructureError(f"{path.name} {error}") from None
