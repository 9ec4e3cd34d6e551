"""Plans and results in plain lines."""

from __future__ import annotations

import pytest

from generator import apply, presentation
from generator.apply import Done
from generator.differences import Difference
from generator.server import Server
from generator.steps import Action, Plan, PlanStep
from lab.config.jenkins_failures import JenkinsForbidden
from tests.jenkins.double import Double

TIMEOUT = (Difference("buildWrappers/timeout", "150", "120"),)


def changed(name: str, *differences: Difference, edited: bool = False) -> PlanStep:
    return PlanStep(
        action="change", kind="job", name=name, before="x", xml="<y/>", edited=edited, differences=differences
    )


def test_equal_differences_appear_once() -> None:
    told = list(
        presentation.steps([changed("a", *TIMEOUT), changed("b", Difference("x", None, "1")), changed("c", *TIMEOUT)])
    )
    assert told == ["~ job a", "~ job c", "    ~ buildWrappers/timeout: 150 -> 120", "~ job b", "    + x: 1"]


def test_plan_ends_with_counts() -> None:
    steps = (
        PlanStep(action="create", kind="view", name="v", xml="<v/>"),
        PlanStep(action="rename", kind="job", name="f/new", old="f/old", before="x", xml="<y/>"),
        PlanStep(action="delete", kind="job", name="gone", before="x", edited=True),
        PlanStep(action="taken", kind="job", name="theirs"),
    )
    made = Plan(schema=1, server="http://j/", owner="lab", steps=steps, unchanged=7, missing_plugins=("git", "junit"))
    assert list(presentation.plan(made)) == [
        "+ view v",
        "> job f/old -> new; its builds stay with it",
        "- job gone (edited by hand)",
        "? job theirs: exists, and this lab does not manage it; qalab jenkins adopt theirs takes it as it is",
        "http://j/: 1 to create, 1 to rename, 1 to delete, by qalab jenkins prune, 1 not managed by this lab, 7 as described",
        "missing plugins: git, junit",
    ]


def test_failed_step_shows_its_error() -> None:
    done = [Done(changed("a")), Done(changed("b"), JenkinsForbidden("http://j/: bot may not do that", hint="ask"))]
    assert list(presentation.results(done)) == [
        "✘ job b: not done: http://j/: bot may not do that (ask)",
        "1 changed, 1 not done",
    ]


@pytest.mark.parametrize("action, name", [("taken", "a"), ("retype", "a"), ("create", "a:b"), ("create", "gone/a")])
def test_failed_step_says_why_once(there: Server, jenkins: Double, action: Action, name: str) -> None:
    step = PlanStep(action=action, kind="job", name=name, xml="<project/>")
    told, _ = presentation.results(apply.carry_out(there, [step], lambda *_: None, lambda _: None))
    assert told.startswith(f"✘ job {name}: not done: ")
    assert told.count(f"job {name}") == 1


def test_drift_without_edits() -> None:
    assert list(presentation.drift([])) == ["nothing was edited by hand"]


def test_equal_changes_of_long_scripts_are_told_once() -> None:
    """Each script contains its job's name, far from what differs."""
    steps = []
    for name in ("a", "b", "c"):
        lines = [f"# the job {name}", *map(str, range(20)), "make one"]
        before, after = "\n".join(lines), "\n".join([*lines[:-1], "make two"])
        found = Difference("builders/hudson.tasks.Shell/command", before, after)
        steps.append(PlanStep(action="change", kind="job", name=name, edited=True, differences=(found,)))
    told = list(presentation.steps(steps))
    assert told[:3] == [f"~ job {name} (edited by hand)" for name in ("a", "b", "c")]
    assert [line.strip() for line in told].count("-make one") == 1
    assert "\n".join(presentation.drift(steps)).count("-make one") == 1
