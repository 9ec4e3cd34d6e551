"""The exercises after an upgrade, compared with those before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from lab.results.cases import Case
from scripts.exercises.judgement import exercise_of

SUITE: Final = "upgrade"
FAILS_TOO: Final = "fails in {} too"


def compared(after: Sequence[Case], before: Sequence[Case], place: str) -> Iterator[Case]:
    """Yield the cases after the upgrade; what failed before it too does not count, but an error proves nothing."""
    earlier = {case.id: case.outcome for case in before}
    for case in after:
        then = earlier.get(case.id)
        update: dict[str, str] = {"classname": f"{case.suite}: {case.classname}", "suite": SUITE}
        if case.outcome == "failed" == then:
            message = f"{case.message}; {FAILS_TOO.format(place)}"
            update |= {"outcome": "skipped", "nuance": "expected-failure", "message": message}
        elif case.outcome == "error" == then:
            update["message"] = f"{case.message}; no result in {place} either"
        yield case.model_copy(update=update)


def failing_too(cases: Sequence[Case], place: str) -> list[str]:
    """Return the compared cases that failed before the upgrade too."""
    return [f"{case.classname}: {case.name}" for case in cases if case.message.endswith(FAILS_TOO.format(place))]


def not_run(after: Sequence[Case], before: Sequence[Case]) -> list[Case]:
    """Return the cases that passed before the upgrade and have no result after it."""
    ran = {case.id for case in after if case.outcome != "skipped"}
    return [case for case in before if case.outcome == "passed" and case.id not in ran]


def ended_exercises(
    names: Collection[str], after: Sequence[Case], missing: Sequence[Case], place: str
) -> Iterator[Case]:
    """Yield an error for each of some exercises that passed before the upgrade and proves nothing after it."""
    ran = {exercise_of(case, names) for case in after if case.outcome != "skipped"}
    for name in dict.fromkeys(exercise_of(case, names) for case in missing):
        if name not in ran:
            message = f"no case runs after the upgrade, and some pass in {place}"
            yield Case(suite=SUITE, classname=name, name=f"cases of {name}", outcome="error", message=message)
