"""What waits and runs, and the agents of builds: from a Jenkins to the page of the lab's health."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.activity import MOST, LabActivity, RunningBuild, WaitingBuild, activity
from tests.jenkins.double import Double
from tests.reports.publishing import OWNED, Press, a_jenkins_build, a_lab

QUEUED = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as one:
        yield one


@pytest.fixture
def press(double: Double, tmp_path: Path) -> Press:
    lab = a_lab(
        tmp_path,
        ("greet", "other", "secret"),
        jenkins={"url": double.url},
        publish={"jobs": ["*greet*", "*other*"], "hosts": ["lab-box-7"]},
    )
    return Press(lab, tmp_path, double, timeout=60.0)


def health(press: Press) -> Any:
    return json.loads((press.place.site / "current/api/v1/health.json").read_bytes())


def page(press: Press) -> str:
    return (press.place.site / "current/health/index.html").read_text()


def wait(double: Double, component: str) -> int:
    """Put a build of a component into the queue."""
    job = double._state.item(f"trunk-{component}-build")
    queued, _ = double._state.enqueue(job, (), "ada")
    queued.since = QUEUED
    return queued.id


@pytest.mark.integration
def test_agents_have_rates_of_errors(double: Double, press: Press) -> None:
    for number, agent, verdict in (
        (1, "node-1", "passed"),
        (2, "node-2", "error"),
        (3, "node-2", "passed"),
        (4, "", "passed"),
    ):
        a_jenkins_build(double, press.lab, "greet", number, verdict, fields={"agent": agent})
    a_jenkins_build(double, press.lab, "greet", 5, "error", fields={"agent": "lab-box-7"})
    assert press.run().lines == []
    rates = [(one["name"], one["runs"], one["errors"]) for one in health(press)["agents"]]
    private = next(name for name, _, _ in rates if name.startswith("node-") and name not in {"node-1", "node-2"})
    assert rates == [("node-2", 2, 1), (private, 1, 1), ("built-in", 1, 0), ("node-1", 1, 0)]
    assert "<h2>Errors by agent</h2>" in page(press)
    assert "lab-box-7" not in page(press)


@pytest.mark.integration
def test_queue_and_running_builds_of_public_jobs(double: Double, press: Press) -> None:
    for component in ("greet", "other", "secret"):
        a_jenkins_build(double, press.lab, component, 1)
    wait(double, "greet")
    wait(double, "secret")
    double.add_build("trunk-other-build", result=None, agent="lab-box-7", timestamp=QUEUED)
    double.add_build("trunk-secret-build", result=None, timestamp=QUEUED)
    assert press.run().lines == []
    found = health(press)["activity"]
    assert (found["waiting_count"], found["running_count"]) == (1, 1)
    (waiting,), (running,) = found["waiting"], found["running"]
    assert (waiting["job"], waiting["since"]) == ("trunk-greet-build", "2026-01-01T00:00:00.000Z")
    assert waiting["why"] == "Waiting for next available executor"
    assert (running["job"], running["number"]) == ("trunk-other-build", 2)
    assert running["agent"].startswith("node-")
    text = page(press)
    assert "1 build waiting and 1 build running when Jenkins was asked" in text
    assert "secret" not in text
    assert "lab-box-7" not in json.dumps(health(press))


@pytest.mark.integration
def test_pass_without_builds_updates_the_health_page_alone(double: Double, press: Press) -> None:
    a_jenkins_build(double, press.lab, "greet", 1)
    press.run()
    before = {path: path.read_bytes() for path in (press.place.site / "current/").rglob("*") if path.is_file()}
    queue = wait(double, "greet")
    press.run()
    after = {path: path.read_bytes() for path in (press.place.site / "current/").rglob("*") if path.is_file()}
    changed = sorted(
        str(path.relative_to(press.place.site / "current")) for path in after if after[path] != before.get(path)
    )
    assert changed == ["api/v1/health.json", "health/index.html"]
    assert "1 build waiting" in page(press)
    double.start(queue, result=None)
    press.run()
    assert "0 builds waiting and 1 build running" in page(press)


@pytest.mark.integration
def test_jenkins_that_is_down_leaves_the_last_answer(double: Double, press: Press) -> None:
    a_jenkins_build(double, press.lab, "greet", 1)
    wait(double, "greet")
    press.run()
    found = health(press)["activity"]
    press.private = None
    press.run()
    assert health(press)["activity"] == found


@pytest.mark.parametrize(
    "asked, waits, expected",
    [
        ("2026-01-01T00:59:59Z", False, False),
        ("2026-01-01T01:00:00Z", False, True),
        ("2026-01-01T00:00:01Z", True, True),
    ],
)
def test_answer_without_news_is_kept_for_an_hour(asked: str, *, waits: bool, expected: bool) -> None:
    waiting = [WaitingBuild(job="j", since="2026-01-01T00:00:00Z", why="", stuck=False)] if waits else []
    before = activity("2026-01-01T00:00:00Z", [], [])
    assert activity(asked, waiting, []).replaces(before) is expected
    assert before.replaces(None)


def test_damaged_file_of_activity_is_none(press: Press) -> None:
    press.place.activity.parent.mkdir(parents=True, exist_ok=True)
    press.place.activity.write_bytes(b"torn")
    assert press.place.read_activity() is None


def test_jobs_in_a_folder_and_of_others(double: Double, tmp_path: Path) -> None:
    lab = a_lab(tmp_path, ("greet",), jenkins={"url": double.url, "folder": "qa"})
    double.create("qa", "<com.cloudbees.hudson.plugins.folder.Folder/>")
    owned = OWNED.replace("<", "&lt;").replace(">", "&gt;")
    for name in ("qa/trunk-greet-build", "trunk-greet-build"):
        double.create(name, f"<project><description>{owned}</description></project>")
        double._state.enqueue(double._state.item(name), (), "ada")
    press = Press(lab, tmp_path, double, timeout=60.0)
    press.run()
    found = press.place.read_activity()
    assert found is not None
    assert [one.job for one in found.waiting] == ["qa/trunk-greet-build"]


def test_longest_builds_are_shown() -> None:
    waiting = [
        WaitingBuild(job="j", since=f"2026-01-{1 + number % 28:02}", why="", stuck=False) for number in range(300)
    ]
    running = [RunningBuild(job="j", number=number, started="2026", agent="") for number in range(300)]
    found = activity("now", waiting, running)
    assert (found.waiting_count, len(found.waiting), len(found.running)) == (300, MOST, MOST)
    assert max(one.since for one in found.waiting) < "2026-01-11"
    assert LabActivity.model_validate_json(found.model_dump_json()) == found
