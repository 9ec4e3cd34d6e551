"""The exercises after an upgrade, compared with those before it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.results.cases import Case, Outcome
from scripts.deployment.installation import NoSuchPackage
from scripts.testing.exercises_compared import compared, ended_exercises, failing_too, not_run
from scripts.upgrade import deployed_old


def case(outcome: Outcome) -> Case:
    return Case(suite="stability", classname="stability", name="it runs", outcome=outcome, message="why")


@pytest.mark.parametrize(
    ("before", "after", "outcome", "message"),
    [
        ("passed", "passed", "passed", "why"),
        ("passed", "failed", "failed", "why"),
        (None, "failed", "failed", "why"),
        ("skipped", "failed", "failed", "why"),
        ("error", "failed", "failed", "why"),
        ("failed", "failed", "skipped", "why; fails in bookworm too"),
        ("failed", "passed", "passed", "why"),
        ("passed", "error", "error", "why"),
        ("error", "error", "error", "why; no result in bookworm either"),
        ("failed", "error", "error", "why"),
        ("passed", "skipped", "skipped", "why"),
    ],
)
def test_exercise_after_upgrade(before: Outcome | None, after: Outcome, outcome: str, message: str) -> None:
    (found,) = compared([case(after)], [case(before)] if before else [], "bookworm")
    assert (found.outcome, found.message, found.id) == (outcome, message, "upgrade/stability: stability/it runs")
    told = ["stability: stability: it runs"] if before == after == "failed" else []
    assert failing_too([found], "bookworm") == told


def named(exercise: str, name: str, outcome: Outcome) -> Case:
    return Case(suite="exercise", classname=exercise, name=name, outcome=outcome)


A, B = named("own", "a", "passed"), named("own", "b", "passed")
STABLE = named("stability", "a", "passed")


@pytest.mark.parametrize(
    ("after", "missing", "ended"),
    [
        ([A, B, STABLE], [], []),
        ([named("own", "a", "failed"), named("own", "b", "skipped"), STABLE], ["own: b"], []),
        ([A, STABLE], ["own: b"], []),
        ([named("own.more.deep", "c", "passed"), STABLE], ["own: a", "own: b"], ["own"]),
        ([named("own", "a", "skipped"), named("own", "b", "skipped"), STABLE], ["own: a", "own: b"], ["own"]),
        ([STABLE], ["own: a", "own: b"], ["own"]),
        ([named("own", "goes to its end", "error"), STABLE], ["own: a", "own: b"], []),
        ([named("own.deep", "c", "passed"), STABLE], ["own: a", "own: b"], []),
        ([], ["own: a", "own: b", "stability: a"], ["own", "stability"]),
    ],
    ids=[
        "all run",
        "one fails",
        "one is gone",
        "another name",
        "all skip",
        "all are gone",
        "no end",
        "others",
        "nothing",
    ],
)
def test_exercise_that_proves_nothing_after_an_upgrade(after: list[Case], missing: list[str], ended: list[str]) -> None:
    found = not_run(after, [A, B, named("own", "c", "skipped"), STABLE])
    assert [f"{each.classname}: {each.name}" for each in found] == missing
    errors = [*ended_exercises(["own", "own.more", "stability"], after, found, "bookworm")]
    assert [(each.classname, each.outcome) for each in errors] == [(name, "error") for name in ended]


BROKEN, BUSY, FULL = Failed("greet.service does not start"), Failed("too slow"), InfrastructureError("the disk is full")
OLD_DEPLOYMENTS: dict[str, tuple[list[LabError], str | LabError]] = {
    "good": ([], "deployed"),
    "fails once": ([BUSY], "deployed"),
    "fails twice": ([BUSY, BROKEN], "greet.service does not start"),
    "the lab fails": ([FULL], FULL),
    "the lab fails later": ([BUSY, FULL], FULL),
    "the candidate adds a package": ([NoSuchPackage("greet-new")], "bookworm has no package greet-new"),
    "the candidate adds a package, later": ([BUSY, NoSuchPackage("greet-new")], "bookworm has no package greet-new"),
    "nobody has a package": ([missing := NoSuchPackage("grete")], missing),
    "the lab is described wrongly": ([wrong := ConfigurationError("no role")], wrong),
}


@pytest.mark.parametrize("what", OLD_DEPLOYMENTS)
def test_old_version_that_cannot_be_deployed(what: str) -> None:
    errors, expected = OLD_DEPLOYMENTS[what]
    left = [*errors]

    def deploy() -> str:
        if left:
            raise left.pop(0)
        return "deployed"

    found = SimpleNamespace(all_packages=lambda: [{"Package": "greet"}, {"Package": "greet-new"}])
    upgrade: Any = SimpleNamespace(
        deploy=deploy,
        found=found,
        old=SimpleNamespace(place="bookworm", version="1.0"),
        context=SimpleNamespace(say=list[str]().append),
    )
    if isinstance(expected, LabError):
        with pytest.raises(type(expected)) as error:
            deployed_old(upgrade)
        assert error.value is expected
    else:
        assert deployed_old(upgrade) == expected
    assert not left
