"""The end of updates: withdrawn, released, superseded; and what is not the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.config.description import Lab
from lab.results.breakages import CLOSED
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from scripts.pockets import closing
from tests.scripts.pockets.test_selection import pocket
from tests.scripts.pockets.test_twenty_days import record

TRACK = {"trigger": "proposed", "phases": ["deploy", "exercise"]}


def leave(lab: Lab, verdict: str, version: str = "1.0-3", component: str = "greet", phase: str = "exercise") -> None:
    run = Store.of(lab).new_run(lab, "trunk", component, phase=phase, version=version)  # type: ignore[arg-type]
    record(run, verdict)


def closed(lab: Lab, released: str, waiting: str) -> list[str]:
    """Return why runs of the component end, each once."""
    runs = closing.close(lab, "trunk", pocket(released, waiting))
    assert {run.verdict for run in runs} <= {"skipped"}
    return [f"{run.info.component} {run.info.phase}: {run.info.reason.removeprefix(CLOSED)}" for run in runs]


@pytest.mark.parametrize("verdict", ["failed", "unstable", "passed"])
@pytest.mark.parametrize(
    ("released", "waiting", "fate"),
    [
        ("greet 1.0-1", "", "greet 1.0-3 was withdrawn"),
        ("", "", "greet 1.0-3 was withdrawn"),
        ("greet 1.0-1", "greet 1.0-2", "greet 1.0-3 was withdrawn"),  # the former one is back
        ("greet 1.0-3", "greet 1.0-3", "greet 1.0-3 is released"),
        ("greet 1.0-3+b1 greet 1.0-3", "", "greet 1.0-3 is released"),
        ("greet 0:1.0-3", "", "greet 1.0-3 is released"),
        ("greet 1.0-3+deb12u1", "greet 1.0-3", "greet 1.0-3 is superseded by 1.0-3+deb12u1, which is released"),
        ("greet 1:0.9-1", "greet 1.0-3", "greet 1.0-3 is superseded by 1:0.9-1, which is released"),
        ("greet 1.0-3~deb12u1", "", "greet 1.0-3 was withdrawn"),
        ("greet 1.0-1", "greet 1.0-3", ""),  # it waits
        ("greet 1.0-1", "greet 1.0-4", ""),  # a newer one waits, and is tested
    ],
)
def test_end_of_an_update(
    lab_factory: Callable[..., Lab], released: str, waiting: str, fate: str, verdict: str
) -> None:
    lab = lab_factory(track=TRACK)
    leave(lab, verdict)
    assert closed(lab, released, waiting) == ([f"greet exercise: {fate}"] if fate else [])
    assert closed(lab, released, waiting) == []  # once


def test_each_phase_is_closed_by_its_own_last_version(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=TRACK)
    leave(lab, "passed", "1.0-2")
    leave(lab, "passed", "1.0-2", phase="deploy")
    leave(lab, "failed", "1.0-3", phase="deploy")
    assert closed(lab, "greet 1.0-2", "") == [
        "greet deploy: greet 1.0-3 was withdrawn",
        "greet exercise: greet 1.0-2 is released",
    ]


def test_history_that_ended_goes_on_with_a_later_version(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=TRACK)
    leave(lab, "failed")
    assert len(closed(lab, "greet 1", "")) == 1
    leave(lab, "failed", "1.0-4")
    assert closed(lab, "greet 1", "greet 1.0-4") == []
    assert closed(lab, "greet 1", "") == ["greet exercise: greet 1.0-4 was withdrawn"]


def test_run_of_all_updates_ends_when_nothing_waits(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=TRACK)
    leave(lab, "failed", "", WHOLE)
    assert closed(lab, "greet 1", "greet 2") == []
    assert closed(lab, "greet 2", "greet 2") == [
        f"{WHOLE} exercise: nothing waits in bookworm-proposed-updates any more"
    ]


@pytest.mark.parametrize("verdict", ["error", "aborted"])
def test_run_without_a_verdict_is_not_closed(lab_factory: Callable[..., Lab], verdict: str) -> None:
    lab = lab_factory(track=TRACK)
    if verdict == "error":
        leave(lab, verdict)
    else:
        Store.of(lab).new_run(lab, "trunk", "greet", phase="exercise", version="1.0-3")
    assert closed(lab, "greet 1", "") == []
