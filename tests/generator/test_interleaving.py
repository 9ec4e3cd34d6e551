"""Two operators at work on one server: one does all of his work between two requests of the other one, at each place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from generator import apply, plan
from generator.items import Item
from generator.server import Server
from generator.steps import Action, Plan
from lab.base.errors import LabError
from lab.config.access import Access
from lab.config.jenkins import Connection
from tests.generator.conftest import JOBS, described
from tests.jenkins.double import Double

CHANGED = JOBS.replace("make one", "make 1").replace("- job: {name: plain", "#")
Work = Callable[[Server, Sequence[Item]], list[LabError]]


def done(there: Server, made: Plan, *actions: Action) -> list[LabError]:
    steps = made.of(*actions)
    results = apply.carry_out(there, steps, lambda *_: None, lambda _: None, workers=1)
    return [one.error for one in results if one.error]


def applying(there: Server, items: Sequence[Item]) -> list[LabError]:
    return done(there, plan.compute(there, "lab", items), "create", "change", "revert", "taken", "unreadable")


def pruning(there: Server, items: Sequence[Item]) -> list[LabError]:
    return done(there, plan.compute(there, "lab", items, quick=True), "delete", "unreadable")


ACTIONS: Mapping[Work, tuple[Action, ...]] = {applying: ("create", "change", "revert"), pruning: ("delete",)}


def interrupted(access: Access, at: int, work: Callable[[], object]) -> Server:
    """A server at which somebody else works before the request number ``at``."""
    number = count(1)

    class Interrupted(Connection):
        def _once(self, method: str, where: str, *, stream: bool, **body: Any) -> requests.Response:
            if next(number) == at:
                work()
            return super()._once(method, where, stream=stream, **body)

    there = Server(access)
    there.__dict__["connection"] = Interrupted(access)
    return there


def both(access: Access, at: int, one: Work, other: Work, items: Sequence[Item]) -> list[list[LabError]]:
    """Have both work; return the errors of the one who has worked between two requests, and those of the other one."""
    errors: list[list[LabError]] = []
    errors.append(one(interrupted(access, at, lambda: errors.append(other(Server(access), items))), items))
    return errors


@pytest.mark.integration
@pytest.mark.parametrize(
    "before, after, one, other",
    [
        ("", JOBS, applying, applying),
        (JOBS, CHANGED, applying, applying),
        (JOBS, CHANGED, applying, pruning),
        (JOBS, CHANGED, pruning, applying),
        (JOBS, CHANGED, pruning, pruning),
    ],
    ids=["both create", "both change", "one applies, the other prunes", "one prunes, the other applies", "both prune"],
)
def test_work_of_another_at_each_request(tmp_path: Path, before: str, after: str, one: Work, other: Work) -> None:
    """Neither sees an error, and nothing of the work of either is left to do."""
    old, new = described(tmp_path, before or "[]"), described(tmp_path, after)
    finished = {action for work in (one, other) for action in ACTIONS[work]}
    for at in count(1):
        with Double() as jenkins:
            access = Access(jenkins.url, "admin", "secret", timeout=60.0)
            applying(Server(access), old)
            errors = both(access, at, one, other, new)
            assert not any(errors), at
            if len(errors) == 1:  # there is no such request any more
                break
            left = plan.compute(Server(access), "lab", new).steps
            assert finished.isdisjoint(step.action for step in left), at
    assert at > 5
