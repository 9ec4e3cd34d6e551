"""The meaning of a status: the unit to report, the order, and the states that count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from scripts.deployment.charm_deployer import refused
from scripts.drivers.juju import answers
from scripts.drivers.juju.client import JujuRefused, complaint
from scripts.drivers.juju.status import Status
from scripts.drivers.juju.watch import Watch
from scripts.drivers.topology import Application, Charm, CharmRole, Topology
from tests.clocks import Moved
from tests.jujufake import changed, machine, status, unit


def application(name: str, *nodes: str, origin: str | None = None) -> Application:
    return Application(name, CharmRole(name, SUPPORTING=not origin), (), nodes, {}, Charm(name, origin=origin))


TOPOLOGY = Topology((
    application("mysql", "node0", "node1", "node2"),
    application("keystone-mysql-router"),
    application("keystone", "node3", origin="openstack-origin"),
))  # fmt: skip


def parsed(*changes: Any) -> Status:
    return Status.model_validate(changed(status(), *changes))


def test_status_of_ready_model() -> None:
    found = parsed()
    assert found.well(TOPOLOGY)
    assert found.machines_up(4)
    assert not found.machines_up(5)
    assert [found.broken(TOPOLOGY), found.lost(TOPOLOGY), found.blocked(TOPOLOGY)] == [None, None, None]
    assert list(found.units(TOPOLOGY)) == ["mysql/0", "mysql/1", "mysql/2", "keystone-mysql-router/0", "keystone/0"]


def subordinate(document: Any) -> Any:
    return unit("keystone/0")(document)["subordinates"]["keystone-mysql-router/0"]


@pytest.mark.parametrize(
    ("change", "well"),
    [
        ((unit("mysql/1"), {"juju-status": {"current": "executing", "message": "running update-status hook"}}), True),
        ((unit("mysql/1"), {"juju-status": {"current": "executing", "message": "running config-changed hook"}}), False),
        ((unit("mysql/1"), {"workload-status": {"current": "unknown"}}), True),
        ((unit("mysql/1"), {"workload-status": {"current": "maintenance"}}), False),
        ((subordinate, {"workload-status": {"current": "waiting"}}), False),
        ((lambda each: each["applications"]["mysql"], {"units": {}}), False),
        ((lambda each: each["applications"], {"keystone": {}}), False),
    ],
)
def test_status_well_for_unit_state(change: Any, *, well: bool) -> None:
    assert parsed(change).well(TOPOLOGY) is well


def test_status_blames_awaited_unit() -> None:
    bad = {"workload-status": {"current": "error", "message": 'hook failed: "start"'}}
    found = parsed((unit("keystone/0"), bad), (unit("mysql/2"), bad)).broken(TOPOLOGY)
    assert found
    assert found.entity == "mysql/2"
    waiting = {"workload-status": {"current": "waiting"}}
    late = parsed((unit("keystone/0"), waiting), (subordinate, waiting)).overdue(TOPOLOGY, 60)
    assert late.entity == "keystone-mysql-router/0"
    assert late.message == "is not ready after 60 minutes: waiting (idle); keystone/0: waiting (idle)"
    never = parsed((lambda each: each["applications"]["mysql"], {"units": {}})).overdue(TOPOLOGY, 60)
    assert (never.entity, never.message) == ("mysql", "is not ready after 60 minutes: it has no units, or not all")


def test_status_is_not_blocked_while_a_unit_works() -> None:
    assert parsed((KEYSTONE, BLOCKED)).blocked(TOPOLOGY)
    assert parsed((KEYSTONE, BLOCKED), (MYSQL, BUSY)).blocked(TOPOLOGY) is None


def test_status_reports_machine_error_first() -> None:
    found = parsed(
        (machine(1), {"juju-status": {"current": "error", "message": "cannot start"}}),
        (unit("keystone/0"), {"workload-status": {"current": "error"}}),
    ).broken(TOPOLOGY)
    assert found
    assert str(found.error(TOPOLOGY)) == "machine 1: its agent is in error: cannot start"


CONTAINERS = {"0/lxd/0": {"juju-status": {"current": "pending"}, "machine-status": {
    "current": "provisioning error", "message": "no obvious space for container"}}}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((machine(0), {"containers": CONTAINERS}), "machine 0/lxd/0: cannot be had: no obvious space for container"),
        ((machine(1), {"status-error": "machine 1 not found"}), "machine 1: its status is not known: machine 1 not found"),
        ((machine(1), {"machine-status": {"current": "unknown", "message": "missing"}}),
         "machine 1: its instance is gone from the cloud"),
        ((lambda each: each["model"], {"model-status": {"current": "suspended", "message": "invalid credential"}}),
         "model testmodel: is suspended: invalid credential"),
        ((lambda each: each["applications"]["mysql"], {"status-error": "gone"}), "mysql: its status is not known: gone"),
        ((lambda each: each["applications"]["mysql"], {"units": {}, "application-status": {
            "current": "error", "message": "no charm"}}), "mysql: no charm"),
        ((unit("mysql/1"), {"status-error": "denied"}), "mysql/1: its status is not known: denied"),
    ],
)  # fmt: skip
def test_status_permanent_fault(change: Any, message: str) -> None:
    model = (lambda each: each, {"model": {"name": "testmodel"}})
    blame = parsed(model, change).broken(TOPOLOGY)
    assert blame
    assert f"{blame.entity}: {blame.message}" == message


@pytest.mark.parametrize("state", ["pending", "down"])
def test_status_is_not_well_while_a_container_is_not_up(state: str) -> None:
    container = {
        "1/lxd/0": {"juju-status": {"current": state, "message": "x"}, "machine-status": {"current": "running"}}
    }
    found = parsed((machine(1), {"containers": container}))
    assert not found.well(TOPOLOGY)
    assert (found.lost(TOPOLOGY) is not None) == (state == "down")


ROUTER = Topology(TOPOLOGY.applications, (("keystone-mysql-router:shared-db", "keystone:shared-db"),))


def test_status_is_not_well_without_subordinate() -> None:
    assert parsed().well(ROUTER)
    alone = parsed((unit("keystone/0"), {"subordinates": {}}))
    assert not alone.well(ROUTER)
    assert alone.overdue(ROUTER, 60).entity == "keystone-mysql-router"


def test_status_lost_subordinate_names_its_machine() -> None:
    blame = parsed((subordinate, LOST)).lost(TOPOLOGY)
    assert blame
    assert blame.entity == "machine 3"


def test_watch_waits_for_busy_controller() -> None:
    """An election takes a minute, in which each call is refused."""
    tries, messages = iter(range(100)), list[str]()

    def look() -> Status:
        if next(tries) < 40:
            raise JujuRefused("juju status", "not master and slaveOk=false")
        return parsed()

    _, blame = Watch(look, messages.append, TOPOLOGY, clock=Moved().clock).until_well(60)
    assert blame is None
    assert messages.count("juju status: not master and slaveOk=false; asking again for 5 minutes") == 1


BLOCKED = {"workload-status": {"current": "blocked", "message": "Missing relations: database"}}
LOST = {"juju-status": {"current": "lost", "message": "agent is not communicating with the server"}}
BUSY = {"workload-status": {"current": "maintenance"}, "juju-status": {"current": "executing"}}
KEYSTONE, MYSQL = unit("keystone/0"), unit("mysql/1")


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ([(KEYSTONE, BLOCKED)], Failed, "keystone/0: is blocked: Missing relations: database"),
        ([(MYSQL, BLOCKED)], InfrastructureError, "mysql/1: is blocked: Missing relations: database"),
        ([(KEYSTONE, LOST)], InfrastructureError, "machine 3: the agent of keystone/0 is lost: agent is not communicating"),
        ([(machine(3), {"juju-status": {"current": "down", "message": "no answer"}})], InfrastructureError,
         "machine 3: its agent is lost: no answer"),
        ([(KEYSTONE, BUSY)], Failed, "keystone/0: is not ready after 5 minutes: maintenance (executing)"),
        ([(machine(3), {"juju-status": {"current": "pending"}}), (KEYSTONE, BUSY)], InfrastructureError,
         "machine 3: is not ready after 5 minutes: running: Running (pending)"),
    ],
)  # fmt: skip
def test_watch_fails_for_lasting_state(changes: Any, kind: type[Exception], message: str) -> None:
    _, blame = Watch(lambda: parsed(*changes), lambda _: None, TOPOLOGY, clock=Moved().clock).until_well(5)
    assert blame
    error = blame.error(TOPOLOGY)
    assert type(error) is kind
    assert str(error).startswith(message)


def test_watch_waits_for_passing_states() -> None:
    """Each state is too short to count, also the first ready one.  One status call fails."""
    answers = [
        parsed(),
        JujuRefused("juju status", "no answer"),
        parsed((KEYSTONE, BLOCKED)),
        parsed((KEYSTONE, LOST)),
        parsed((MYSQL, BUSY)),
    ]
    messages: list[str] = []

    def look() -> Status:
        answer = answers.pop(0) if answers else parsed()
        if isinstance(answer, JujuRefused):
            raise answer
        return answer

    watch = Watch(look, messages.append, replace(TOPOLOGY, settle_seconds=15), clock=Moved().clock)
    _, blame = watch.until_well(1)
    assert blame is None
    assert "juju status: no answer; asking again for 5 minutes" in messages
    assert messages[-1].startswith("mysql/1: active: Unit is ready")
    assert watch.ready.keys() == {"keystone", "keystone-mysql-router", "mysql"}


@pytest.mark.parametrize("seconds, looks", [(0, 1), (15, 4), (30, 7)])
def test_watch_believes_what_stays_well_for_the_settle_time(seconds: int, looks: int) -> None:
    seen: list[Status] = []

    def look() -> Status:
        seen.append(parsed())
        return seen[-1]

    Watch(look, lambda _: None, replace(TOPOLOGY, settle_seconds=seconds), clock=Moved().clock).until_well(5)
    assert len(seen) == looks


def test_watch_fails_for_unreachable_controller() -> None:
    def look() -> Status:
        raise JujuRefused("juju status", "no answer")

    with pytest.raises(JujuRefused, match="juju status: no answer"):
        Watch(look, lambda _: None, TOPOLOGY, clock=Moved().clock).until_well(1)


def test_watch_ends_though_messages_always_change() -> None:
    looks: list[int] = []

    def look() -> Status:
        looks.append(len(looks))
        assert len(looks) < 100, "it does not end"
        return parsed((KEYSTONE, {"workload-status": {"current": "active", "message": f"{looks[-1]} users"}}))

    watch = Watch(look, lambda _: None, replace(TOPOLOGY, settle_seconds=30), clock=Moved().clock)
    assert watch.until_well(1)[1] is None
    assert len(looks) == 7


NO_ENDPOINT = 'cannot add relation between "a:x" and "b:y": application "b" has no "y" relation'


@pytest.mark.parametrize(
    ("output", "kind", "message"),
    [
        (f"cannot deploy bundle: {NO_ENDPOINT}", ConfigurationError, f"deployment.relations: {NO_ENDPOINT}"),
        ('cannot deploy bundle: cannot resolve charm or bundle "k": No charm', ConfigurationError,
         'deployment.applications: cannot resolve charm or bundle "k": No charm'),
        ("cannot deploy bundle: dial tcp 10.0.0.1: connect: connection refused", InfrastructureError, "juju deploy: "),
        ("unable to connect to API: no route to host", InfrastructureError, "juju deploy: unable to connect"),
        ('cannot deploy bundle: option "password" unknown to charm', ConfigurationError, "deployment.applications: option"),
        ('cannot deploy bundle: option "admin-password" expected string, got 12345', ConfigurationError,
         "deployment.applications: option"),
        ("Bundle cannot be deployed without trusting applications with your cloud credentials. Please: - aws-integrator",
         ConfigurationError, "deployment.applications: Bundle cannot be deployed without trusting"),
        ("cannot deploy bundle: not master and slaveOk=false", InfrastructureError, "juju deploy: "),
        ('cannot deploy bundle: cannot deploy application "x": Post "https://store/": context deadline exceeded', InfrastructureError, "juju deploy: "),
        ('cannot deploy bundle: cannot add charm "ch:x": 503 Service Unavailable', InfrastructureError, "juju deploy: "),
        ("cannot deploy bundle: permission denied (unauthorized access)", InfrastructureError, "juju deploy: "),
        ("cannot deploy bundle: lease operation timed out", InfrastructureError, "juju deploy: "),
        ('cannot deploy bundle: option "i/o timeout" unknown to charm', ConfigurationError, "deployment.applications: option"),
        ('the provided bundle has the following errors: placement "lxd:9" refers to a machine not defined', ConfigurationError,
         "deployment.applications: the provided bundle has"),
        ("cannot unmarshal bundle contents: yaml: line 8: field chanel not found in type", ConfigurationError,
         "deployment.applications: cannot unmarshal"),
        ('selecting releases: charm or bundle not found for channel "2024.9/stable"', ConfigurationError,
         "deployment.applications: selecting releases"),
    ],
)  # fmt: skip
def test_deploy_refusal_becomes_error(output: str, kind: type[Exception], message: str) -> None:
    error = refused(JujuRefused("juju deploy", output))
    assert isinstance(error, kind)
    assert str(error).startswith(message)


@pytest.mark.parametrize("text", ["", "[]", '{"machines": []}', '{"applications": {"a": {"units": 1}}}'])
def test_status_parse_refuses_other_output(text: str) -> None:
    with pytest.raises(InfrastructureError, match=r"juju status: not (JSON: nothing|as it is documented: )"):
        answers.parse(Status, text, "juju status")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["WARNING slow", "ERROR it is away", "more"], "it is away"),
        (["ERROR several:", "one", "two"], "several: one two"),
        (["ERROR not without trust.", "Trust the following application(s):", "  - a"],
         "not without trust. Trust the following application(s): - a"),
        (["nothing known"], "nothing known"),
        (["panic: runtime error: nil pointer", "goroutine 1 [running]:", "main.main()"],
         "panic: runtime error: nil pointer goroutine 1 [running]: main.main()"),
        ([], "it ended without a word"),
    ],
)  # fmt: skip
def test_error_line_of_juju_output(lines: list[str], message: str) -> None:
    assert complaint(lines) == message


def test_null_is_a_key_that_is_missing() -> None:
    """Go prints a map or a list that was never made as null."""
    document = status()
    document["applications"]["mysql"]["relations"] = None
    document["applications"]["keystone"]["units"]["keystone/0"]["workload-status"]["message"] = None
    document["applications"]["idle"] = {"units": None, "application-status": {"current": "unknown", "since": None}}
    document["storage"] = document["machines"]["0"]["containers"] = None
    assert Status.model_validate(document).well(TOPOLOGY)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Unit\n  is\tready\r\n", "Unit is ready"),
        ("\x1b[31mred\x1b[0m \x07bell \u2028line", "red bell line"),
        ("fähig ✓", "fähig ✓"),
        ("x" * 100_000, "x" * 399 + "…"),
    ],
)
def test_message_is_one_line_that_is_safe_to_show(message: str, shown: str) -> None:
    found = parsed((KEYSTONE, {"workload-status": {"current": "blocked", "message": message}})).blocked(TOPOLOGY)
    assert found
    assert found.message == f"is blocked: {shown}"


def stored(current: str, message: str = "", **more: Any) -> dict[str, Any]:
    made = {"kind": "block", "life": "alive", "persistent": False, "status": {"current": current, "message": message}}
    return {"storage": {"storage": {"osd-devices/0": made | more}, "volumes": {"0": {"size": 1024}}}}


WAITING = {
    "workload-status": {"current": "waiting", "message": "agent initialising"},
    "juju-status": {"current": "allocating"},
}
OF_KEYSTONE = {"attachments": {"units": {"keystone/0": {"machine": "3", "life": "alive"}}}}


@pytest.mark.parametrize(
    "storage, kind, message",
    [
        (stored("pending", "creating volume: quota exceeded", **OF_KEYSTONE), InfrastructureError,
         "storage osd-devices/0 of keystone/0: is not ready after 60 minutes: pending: creating volume: quota exceeded"),
        (stored("attaching"), InfrastructureError, "storage osd-devices/0: is not ready after 60 minutes: attaching"),
        (stored("attached", **OF_KEYSTONE), Failed, "keystone/0: is not ready after 60 minutes: waiting: agent init"),
        (stored("detached"), Failed, "keystone/0: is not ready after 60 minutes: waiting: agent init"),
        (stored("error", "no such pool"), InfrastructureError,
         "storage osd-devices/0: is not ready after 60 minutes: error: no such pool"),
        ({"storage": {}}, Failed, "keystone/0: is not ready after 60 minutes: waiting: agent init"),
    ],
)  # fmt: skip
def test_storage_that_a_unit_waits_for_is_named(storage: dict[str, Any], kind: type, message: str) -> None:
    found = parsed((lambda document: document, storage), (unit("keystone/0"), WAITING))
    error = found.overdue(TOPOLOGY, 60).error(TOPOLOGY)
    assert (type(error), str(error)[: len(message)]) == (kind, message)


@pytest.mark.parametrize(
    "instance, message",
    [
        (
            {"current": "stopped", "message": "Stopped"},
            "its agent is lost: no answer; its instance is stopped: Stopped",
        ),
        ({"current": "running", "message": "Running"}, "its agent is lost: no answer"),
    ],
)
def test_lost_machine_tells_of_its_instance(instance: dict[str, str], message: str) -> None:
    down = {"juju-status": {"current": "down", "message": "no answer"}, "machine-status": instance}
    blame = parsed((machine(3), down)).lost(TOPOLOGY)
    assert blame
    assert (blame.entity, blame.message) == ("machine 3", message)
