"""The settle time, on scripted nodes and a clock that a test moves."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import Result
from scripts.drivers.topology import Application
from scripts.roles import mariadb, package
from scripts.services import node_health, settling, systemd
from scripts.services.deployed_state import Service
from scripts.services.node_health import LoggedEntry, NodeHealth
from scripts.services.site import Site
from tests.clocks import Moved
from tests.scripts.services.test_node_health import BEFORE
from tests.scripts.services.test_site import FAILED, RUNS

QUIET = BEFORE + "=== entries\n=== lines\n"
QUIETLY: Any = [].append


@dataclass
class Node:
    """A node whose unit changes its state at some moment."""

    time: Moved
    later: str = RUNS
    ends: float = 20.0
    name: str = "node0"
    entries: str = ""
    journal: str = "fatal: the licence has expired\n"

    def run(self, argv: Any, **_: Any) -> Result:
        if argv[0] == "journalctl":
            return Result(tuple(argv), 0, self.journal)
        if argv[0] == "systemctl":
            return Result(tuple(argv), 0, RUNS if self.time.clock.monotonic() < self.ends else self.later)
        shown = QUIET.replace("=== entries\n", f"=== entries\n{self.entries}")
        return Result(tuple(argv), 0, self.journal if "journalctl" in argv[2][:80] else shown)


def place(role: Any = package, later: str = RUNS, **service: Any) -> Site:
    time = Moved()
    node: Any = Node(time, later)
    application = Application("greet", role, ("greet",), ("node0",), service.pop("options", {}))
    site = Site({"node0": node}, lambda *_, **__: Result((), 0), lambda *_: None, (application,), clock=time.clock)
    units = service.pop("units", ("greet.service",))
    site.services["greet"] = Service(role="package", nodes=("node0",), packages=(), units=units, **service)
    return site


def test_settle_waits_and_returns_baselines() -> None:
    site = place()
    began = site.clock.monotonic()
    found = settling.settle(site, {"node0": node_health.parse_baseline(BEFORE)}, 30, QUIETLY)
    assert site.clock.monotonic() - began == pytest.approx(30, abs=0.1)
    assert found.baselines["node0"].restarts == {"flaky.service": 1}
    assert found.errors == ()


def test_settle_without_services_does_not_wait() -> None:
    site = place(units=())
    settling.settle(site, {"node0": node_health.parse_baseline(BEFORE)}, 30, QUIETLY)
    assert site.clock.monotonic() == 0


DYING = {
    "dies": (FAILED, "greet.service starts and dies on node0 (exit-code): "),
    "is restarted": (
        RUNS.replace("NRestarts=0", "NRestarts=1"),
        "greet.service starts and dies on node0 (restarted by systemd): ",
    ),
    "is an init script whose daemon ends": (
        RUNS.replace("simple", "forking").replace("=now", "=") + "SourcePath=/etc/init.d/greet\nSubState=exited\n",
        "greet.service starts and dies on node0 (its program ended without an error): ",
    ),
    "is stopped": (
        RUNS.replace("=active", "=inactive"),
        "greet.service starts and dies on node0 (its program ended without an error): ",
    ),
}


@pytest.mark.parametrize("what", DYING)
@pytest.mark.parametrize(("role", "fault"), [(package, Failed), (mariadb, InfrastructureError)])
def test_settle_reports_service_that_does_not_stay(what: str, role: Any, fault: type[LabError]) -> None:
    later, message = DYING[what]
    with pytest.raises(fault) as caught:
        settling.settle(place(role, later), {"node0": node_health.parse_baseline(BEFORE)}, 30, QUIETLY)
    assert str(caught.value).startswith(f"greet: {message}")


def test_settle_shorter_than_the_service_lives_passes() -> None:
    settling.settle(place(later=FAILED), {"node0": node_health.parse_baseline(BEFORE)}, 10, QUIETLY)


SEGV = "greet.service: Main process exited, code=dumped, status=11/SEGV"
HEALTH = {
    "a crash of a service": (
        NodeHealth((LoggedEntry("greet.service", SEGV, is_error=False),)),
        f"greet: greet.service crashed on node0: {SEGV}",
    ),
    "a crash of another program": (
        NodeHealth(lines=("/var/log/uwsgi.log: Segmentation Fault",)),
        "a program crashed on node0: /var/log/uwsgi.log: Segmentation Fault",
    ),
    "a unit that a timer starts": (NodeHealth(failed=("tidy.service",)), "tidy.service failed on node0: no space"),
}


@pytest.mark.parametrize("what", HEALTH)
def test_settle_reports_faults_of_nodes(what: str) -> None:
    health, message = HEALTH[what]
    owner = Application("greet", package, (), ("node0",), {})
    found = [*settling.faults("node0", health, {"greet.service": owner}, {"tidy.service": "no space"})]
    assert [str(error) for error in found] == [message]


JOURNAL = """\
127.0.0.1 - - "POST /notes HTTP/1.0" 500 -
Traceback (most recent call last):
  File "/usr/bin/notes", line 30, in add
    cursor.execute("insert into notes (text) values (%s) returning id", [text])
psycopg2.errors.UndefinedTable: relation "notes" does not exist
LINE 1: insert into notes (text) values ('buy milk') returning id
                    ^
"""


def entry(unit: str, text: str, priority: int = 3) -> str:
    return (
        json.dumps({"__CURSOR": f"s=b;i={text}", "_SYSTEMD_UNIT": unit, "MESSAGE": text, "PRIORITY": str(priority)})
        + "\n"
    )


FULL = entry("greet.service", "the queue is full")
TRACEBACK = entry("greet.service", "Traceback (most recent call last):", 6)
LOGGED = {
    "an error": (FULL, "", "", "greet.service on node0: the queue is full"),
    "several errors": (FULL + entry("greet.service", "it is full still"), "", "", "greet.service on node0: the queue is full"),
    "a traceback": (TRACEBACK, JOURNAL, "", 'greet.service on node0: psycopg2.errors.UndefinedTable: relation "notes" does not exist'),
    "a traceback that is cut": (TRACEBACK, "", "", "greet.service on node0: Traceback (most recent call last):"),
    "an accepted error": (FULL, "", "queue is full$", ""),
    "an error beside an accepted one": (FULL + entry("greet.service", "no space"), "", "queue", "greet.service on node0: no space"),
    "a warning": (entry("greet.service", "the queue is long", 4), "", "", ""),
    "an error of a unit of nobody": (entry("tidy.service", "no space"), "", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", LOGGED)
def test_deployment_has_the_errors_that_services_logged(what: str) -> None:
    entries, journal, accepted, expected = LOGGED[what]
    site = place(options={"accept_errors": accepted})
    node: Any = site.nodes["node0"]
    node.entries, node.journal = entries, journal
    found = settling.settle(site, {"node0": node_health.parse_baseline(BEFORE)}, 30, QUIETLY)
    assert found.errors == ((expected,) if expected else ())


def test_baseline_is_of_the_beginning_of_the_settle_time() -> None:
    """So that exercises report what is logged in it."""
    site = place()
    asked: list[float] = []
    node: Any = site.nodes["node0"]
    run = node.run

    def watched(argv: Any, **more: Any) -> Result:
        if argv[-1] == node_health.SECTIONS:
            asked.append(site.clock.monotonic())
        return run(argv, **more)

    node.run = watched
    settling.settle(site, {"node0": node_health.parse_baseline(BEFORE)}, 30, QUIETLY)
    assert asked == [0.0]


IDLE = {
    "nothing to start": ({}, {}, ""),
    "not enabled": (
        {"rsync.service": "it is disabled"},
        {},
        "none of its services runs: rsync.service: it is disabled",
    ),
    "expected": ({"rsync.service": "it is disabled"}, {"starts_nothing": True}, ""),
    "condition": (
        {"a.service": f"{systemd.UNMET}: ConditionPathExists=/etc/a.conf"},
        {},
        "none of its services runs: a.service: its condition is not met: ConditionPathExists=/etc/a.conf",
    ),
    "machine": (
        {"a.service": f"{systemd.UNMET}: ConditionVirtualization=!container"},
        {},
        "none of its services runs: a.service: its condition is not met: ConditionVirtualization=!container (the target",
    ),
}


@pytest.mark.parametrize("what", IDLE)
def test_deployment_that_starts_nothing_fails(what: str) -> None:
    idle, options, message = IDLE[what]
    site = place(units=(), idle=idle, options=options)
    if not message:
        settling.check_started(site)
        return
    with pytest.raises(InfrastructureError if what == "machine" else Failed) as caught:
        settling.check_started(site)
    assert str(caught.value).startswith(f"greet: {message}")


ELSEWHERE = {
    "on the other node alone": ({"node1": {"a.service": f"{systemd.UNMET}: ConditionHost=x"}}, "none of its services runs on node1: a.service: "),
    "not enabled on the other node": ({"node1": {"a.service": package.NOT_ENABLED}}, ""),
    "on both": ({}, ""),
}  # fmt: skip


@pytest.mark.parametrize("what", ELSEWHERE)
def test_each_node_of_an_application_runs_something(what: str) -> None:
    absent, message = ELSEWHERE[what]
    site = place(units=("a.service",), absent=absent)
    site = replace(site, applications=(replace(site.applications[0], nodes=("node0", "node1")),))
    if message:
        with pytest.raises(InfrastructureError, match=f"^greet: {message}"):
            settling.check_started(site)
    else:
        settling.check_started(site)
