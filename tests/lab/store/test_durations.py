"""The time that a step took before: a cache that nothing depends on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.base.errors import Failed
from lab.config.description import Lab
from lab.store import durations, step, step_command
from lab.store.step import StepContext, StepOutcome
from tests.conftest import Bench


@pytest.mark.parametrize(
    "seconds, text",
    [(0.0, ""), (4.9, ""), (5.0, "last time 0:05"), (291.4, "last time 4:51"), (3599.6, "last time 1:00:00"), (7384, "last time 2:03:04")],
)  # fmt: skip
def test_last_time(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], seconds: float, text: str) -> None:
    place = bench(lab_factory())
    durations.note(place.run.info, place.pretend("sbuild", seconds=seconds))
    assert durations.last_time(place.run.info, "sbuild") == text
    assert durations.last_time(place.run.info, "lintian") == ""


@pytest.mark.parametrize("damage", ["", "{", '{"schema": 9}', '{"seconds": {"sbuild": "long"}}'])
def test_damaged_durations_are_none(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], damage: str) -> None:
    place = bench(lab_factory())
    path = durations.path_of(place.run.info)
    path.parent.mkdir(parents=True)
    path.write_text(damage)
    assert durations.last_time(place.run.info, "sbuild") == ""
    durations.note(place.run.info, place.pretend("sbuild", seconds=9.0))
    assert durations.last_time(place.run.info, "sbuild") == "last time 0:09"


def test_passed_step_records_duration(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> None:
    place = bench(lab_factory())

    def fail(_: StepContext) -> StepOutcome:
        raise Failed("no")

    with place.run.held():
        step.execute("sbuild", fail, place.lab, place.run)
        assert durations.read(place.run.info).seconds == {}
        step.execute("sbuild", lambda _: StepOutcome("done"), place.lab, place.run)
    assert set(durations.read(place.run.info).seconds) == {"sbuild"}


def test_step_command_prints_last_duration(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    place = bench(lab_factory())
    argv = ["--lab", str(place.lab.file), "--run", str(place.run.path)]
    assert step_command.main("snapshot", lambda _: StepOutcome("done"), argv) == 0
    assert capsys.readouterr().out == "snapshot: passed: done\n"
    durations.note(place.run.info, place.pretend("snapshot", seconds=291.0))
    assert step_command.main("snapshot", lambda _: StepOutcome("done"), argv) == 0
    assert capsys.readouterr().out == "snapshot: last time 4:51\nsnapshot: passed: done\n"
