"""The commands publish and retract."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cli import publish as publish_verb
from cli import retract as retract_verb
from reports import home
from tests.jenkins.faults import FOREVER
from tests.reports.publish.everything import Everything
from tests.reports.publishing import Press, a_lab, a_local_run


@pytest.fixture
def at_home(all_there: Everything, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Everything:
    monkeypatch.chdir(tmp_path)
    return all_there


def call(*argv: str) -> Result:
    """Run a command of the command line."""
    verbs = click.Group(commands=[publish_verb.command, retract_verb.command])
    return CliRunner().invoke(verbs, list(argv))


@pytest.mark.integration
def test_publish_prints_summary(at_home: Everything) -> None:
    at_home.build(number=1)
    actual = call("publish")
    assert actual.exit_code == 0, actual.output
    assert actual.output == "builds: 1 new\nsite: 1 delivered\njenkins: 1 delivered\nmail: 1 nothing\n"
    assert json.loads(call("publish", "--json").output) == {
        "bundled": 0,
        "outputs": {"site": {}, "jenkins": {}, "mail": {}},
        "problems": [],
    }


@pytest.mark.integration
def test_publish_status_lists_waiting_builds(at_home: Everything) -> None:
    assert call("publish", "--status").output.startswith("builds: none yet\nsite: nothing yet\n")
    at_home.build(number=1)
    at_home.public.fault(503, times=FOREVER)
    failed = call("publish")
    assert failed.exit_code == 3
    assert "qalab: jenkins: " in failed.output
    actual = call("publish", "--status").output
    assert re.search(r"^builds: 1 bundled\nsite: 1 delivered\njenkins: 1 waiting\n  postponed until .*Z: http", actual)
    status = json.loads(call("publish", "--status", "--json").output)
    assert list(status["outputs"]) == ["site", "jenkins", "mail"]
    assert status["outputs"]["jenkins"]["builds"] == {"waiting": 1}
    assert "answers 503" in status["outputs"]["jenkins"]["outage"]["note"]
    at_home.public.heal()
    assert "postponed until" in call("publish").output
    assert "jenkins: 1 delivered" in call("publish", "--retry").output


@pytest.mark.integration
@pytest.mark.parametrize("name", ["webhook", "mail", "jenkins"])
def test_publish_status_names_no_output_that_is_not_configured(at_home: Everything, name: str) -> None:
    """A delivery that waits for an output which lab.yaml no longer has waits for nothing."""
    at_home.build(number=1)
    assert call("publish").exit_code == 0
    with home.opened(at_home.lab) as (_, journal):
        (entry,) = journal.builds.published()
        journal.deliveries.postpone(entry.name, name, "no answer", 0.0, 60.0)
    shown = call("publish", "--status").output
    assert (f"{name}: jenkins/" in shown) is (name != "webhook")
    found = json.loads(call("publish", "--status", "--json").output)
    assert [one["output"] for one in found["waiting"]] == ([] if name == "webhook" else [name])
    assert "webhook" not in found["outputs"]


@pytest.mark.integration
def test_publish_status_names_lost_source(at_home: Everything) -> None:
    assert call("publish").exit_code == 0
    at_home.private.fault(503, times=FOREVER)
    assert call("publish").exit_code == 3
    assert re.search(r"^builds: none yet\nsource jenkins: http\S+ answers 503", call("publish", "--status").output)
    at_home.private.heal()
    assert call("publish").exit_code == 0
    assert json.loads(call("publish", "--status", "--json").output)["sources"] == {}


@pytest.mark.integration
def test_misconfigured_output_does_not_stop_others(at_home: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home.build(number=1)
    monkeypatch.delenv("QALAB_PUBLIC_JENKINS_TOKEN")
    actual = call("publish")
    assert actual.exit_code == 2
    assert (
        "qalab: jenkins: only one of QALAB_PUBLIC_JENKINS_USER and QALAB_PUBLIC_JENKINS_TOKEN is set" in actual.output
    )
    assert "site: 1 delivered\nmail: 1 nothing\n" in actual.output


@pytest.mark.integration
def test_publish_watch_repeats(at_home: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    def sleep(seconds: float) -> None:
        if seconds < 7:  # between two queries of a twin
            return
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt
        at_home.build(number=2)

    at_home.build(number=1)
    monkeypatch.setattr("cli.publish.time.sleep", sleep)
    assert call("publish", "--watch", "--interval", "7").exit_code == 1
    assert (pauses, at_home.twins()) == ([7, 7], ["#1", "#2"])


@pytest.mark.integration
def test_publish_watch_continues_while_another_process_publishes(
    press: Press, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_local_run(press.lab, number=2)
    pauses = []

    def sleep(seconds: float) -> None:
        if seconds != 7:  # a holder that has just been killed
            return
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt
        lock.close()

    monkeypatch.setattr("cli.publish.time.sleep", sleep)
    with ExitStack() as lock:
        lock.enter_context(press.place.locked())
        actual = call("publish", "--watch", "--interval", "7")
    assert actual.stderr.startswith("qalab: another process is publishing this lab")
    assert "builds: 1 new\nsite: 1 delivered\n" in actual.output
    assert (actual.exit_code, pauses) == (1, [7, 7])


@pytest.mark.integration
def test_failed_output_is_not_called_idle(press: Press, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k3y-of-tests")
    a_lab(tmp_path, notifications={"webhook": {"url": "http://127.0.0.1:1/"}})
    a_local_run(press.lab, number=2)
    actual = call("publish")
    assert "site: 1 delivered\nwebhook: failed\n" in actual.output
    assert actual.exit_code == 3


@pytest.mark.integration
def test_retract_prints_result(at_home: Everything) -> None:
    at_home.build(number=1)
    call("publish")
    (name,) = [path.parent.name for path in at_home.site.glob("b/*/*/index.html")]
    assert call("retract", name, "--yes").output == f"{name}: retracted; it will not be published again\n"
    assert call("publish", "--status").output.startswith("builds: 1 retracted\n")
