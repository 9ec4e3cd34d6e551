"""A whole deployment of a bundle with vault and OVN, in the states of its units from the first machine to the last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.records import Record
from lab.store.runs import Store
from scripts import deploy
from scripts.services.deployed_state import Deployed
from tests.conftest import Bench
from tests.jujufake import Juju, changed
from tests.jujustatus import document, text
from tests.scripts.drivers.juju.conftest import MODEL, installed
from tests.scripts.drivers.juju.test_bundle_file import VAULT

pytestmark = pytest.mark.integration
BUNDLE = """\
default-base: ubuntu@24.04
machines: {"0": {constraints: mem=16G}, "1": {constraints: mem=8G}}
applications:
  mysql: {charm: ch:mysql-innodb-cluster, channel: 8.0/stable, num_units: 1, to: [lxd:0]}
  vault: {charm: ch:vault, channel: 1.8/stable, num_units: 1, to: [lxd:0]}
  vault-mysql-router: {charm: ch:mysql-router}
  keystone: {charm: ch:keystone, num_units: 1, to: [lxd:0], options: {worker-multiplier: 0.25}}
  neutron-api: {charm: ch:neutron-api, num_units: 1, to: [lxd:0]}
  neutron-api-plugin-ovn: {charm: ch:neutron-api-plugin-ovn}
  ovn-central: {charm: ch:ovn-central, num_units: 1, to: [lxd:1]}
  nova-compute: {charm: ch:nova-compute, num_units: 1, to: ["1"], storage: {ephemeral-device: "loop,10G"}}
  ovn-chassis: {charm: ch:ovn-chassis, options: {bridge-interface-mappings: "br-ex:data"}}
relations:
- [vault-mysql-router:db-router, mysql:db-router]
- [vault-mysql-router:shared-db, vault:shared-db]
- [vault:certificates, [keystone:certificates, neutron-api:certificates, ovn-central:certificates, ovn-chassis:certificates]]
- [neutron-api-plugin-ovn:neutron-plugin, neutron-api:neutron-plugin-api-subordinate]
- [neutron-api-plugin-ovn:ovsdb-cms, ovn-central:ovsdb-cms]
- [ovn-chassis:nova-compute, nova-compute:neutron-plugin]
- [ovn-chassis:ovsdb, ovn-central:ovsdb]
"""
MACHINES = """\
machine 0 {machine} running
machine 0/lxd/0 {container} running
machine 0/lxd/1 started running
machine 0/lxd/2 started running
machine 0/lxd/3 started running
machine 1 {other} running
machine 1/lxd/0 started running
"""
APPLICATIONS = """\
app mysql active
app vault active
app vault-mysql-router active to=vault
app keystone active
app neutron-api active
app neutron-api-plugin-ovn active to=neutron-api
app ovn-central active
app nova-compute active
app ovn-chassis active to=nova-compute
"""
UNITS = """\
unit mysql/0 active(Cluster is ONLINE) idle @0/lxd/0 *
unit vault/0 {vault} @0/lxd/1 *
  unit vault-mysql-router/0 active idle
unit keystone/0 {keystone} @0/lxd/2 *
unit neutron-api/0 {neutron} @0/lxd/3 *
  unit neutron-api-plugin-ovn/0 {plugin}
unit ovn-central/0 {central} @1/lxd/0 *
unit nova-compute/0 active idle @1 *
"""
CHASSIS = "  unit ovn-chassis/0 {chassis}\n"
CERTIFICATES = "waiting('certificates' awaiting server certificate data) idle"
FIRST = {"vault": "blocked(Vault needs to be initialized) idle", "keystone": "active idle", "neutron": CERTIFICATES,
         "plugin": CERTIFICATES, "central": CERTIFICATES, "chassis": CERTIFICATES}  # fmt: skip
LAST = dict.fromkeys(FIRST, "active idle")
ELECTION = ["ERROR not master and slaveOk=false\n"] * 12  # a minute, with five seconds between two questions


def state(units: dict[str, str], *, lines: str = UNITS + CHASSIS, **machines: str) -> dict[str, Any]:
    """Return a status document of the deployment."""
    up = {"machine": "started", "container": "started", "other": "started", **machines}
    return document(tuple((MACHINES.format(**up) + APPLICATIONS + lines.format(**units)).splitlines()))


def only_machines(machine: str) -> dict[str, object]:
    return document(
        (f"machine 0 {machine} allocating(Deploying)", *APPLICATIONS.replace("active", "waiting").splitlines())
    )


BEGINNING = [
    only_machines("pending"),
    state(dict.fromkeys(FIRST, "waiting(waiting for machine) allocating"), container="pending"),
    state(dict.fromkeys(FIRST, "maintenance(Installing packages) executing(running install hook)")),
    state(FIRST),
]
ENDING = [state(LAST | {"neutron": "maintenance executing(running certificates-relation-changed hook)"}), state(LAST)]


@pytest.fixture
def play(juju: Juju, describe: Callable[..., Lab], tmp_path: Path) -> Callable[..., tuple[Lab, Bench, Record]]:
    """Return a function that deploys while the model goes through states, some of them after the steps."""

    def run(
        before: list[object], after: list[object], minutes: int = 60, tested: str = "neutron-api", **settings: int
    ) -> tuple[Lab, Bench, Record]:
        lab = describe(
            "neutron",
            {tested: {"role": "neutron"}, "keystone": {"role": "keystone"}},
            bundle="bundles/ovn.yaml",
            steps=["vault", {"run": ["./upgrade.sh"]}],
            timeout_minutes=minutes,
            **settings,
        )
        path = lab.file.parent / "bundles/ovn.yaml"
        path.parent.mkdir()
        path.write_text(BUNDLE)
        for number, each in enumerate(after):
            juju.write(f"after/2-{number:03d}", each if isinstance(each, str) else text(each))  # type: ignore[arg-type]
        script = lab.file.parent / "upgrade.sh"
        script.write_text(f'#!/bin/sh\necho "$JUJU_MODEL" > {tmp_path}/stepped\nrm {juju.home}/status/*\n'
                          f"mv {juju.home}/after/* {juju.home}/status/\n")  # fmt: skip
        script.chmod(0o755)
        juju.statuses({"machines": {}, "applications": {}}, then=tuple(before))  # type: ignore[arg-type]
        juju.write("machine/sh", VAULT)
        juju.write(
            "get-root-ca", {"vault/0": {"status": "completed", "results": {"output": "-----BEGIN CERTIFICATE-----"}}}
        )
        installed(juju, "neutron")
        at = Bench(lab, Store.of(lab).new_run(lab, "trunk", "neutron", phase="deploy"))
        return lab, at, at.execute(deploy)

    return run


Play = Callable[..., tuple[Lab, Bench, Record]]


def test_whole_deployment(juju: Juju, play: Play, tmp_path: Path) -> None:
    lab, at, record = play(BEGINNING, ENDING)
    assert record.verdict == "passed", record.message
    assert (tmp_path / "stepped").read_text() == f"{MODEL}\n"
    assert [call[-1] for call in juju.calls("run")] == ["authorize-charm", "generate-root-ca", "get-admin-password"]
    found = Deployed.of(Store.of(lab).environments / "trunk")
    assert found
    assert found.services["ovn-chassis"].nodes == ("node1",)
    assert found.services["neutron-api-plugin-ovn"].nodes == found.services["neutron-api"].nodes == ("node0-lxd-3",)
    assert [*found.nodes] == ["node0", *(f"node0-lxd-{number}" for number in range(4)), "node1", "node1-lxd-0"]
    assert {each.node for each in found.packages if each.ours} == {"node0-lxd-2", "node0-lxd-3"}
    said = at.log("deploy")
    in_order = ["machine 0: allocating: Deploying (pending)", "vault/0: maintenance: Installing packages",
                "vault/0: blocked: Vault needs to be initialized (idle)", "step vault", "step ", "upgrade.sh",
                "neutron-api/0: maintenance (executing", "neutron-api/0: active (idle)"]  # fmt: skip
    places = [said.index(text) for text in in_order]
    assert places == sorted(places)


BUSY = {
    "at deploy": "deploy",
    "at a step": "authorize-charm",
    "on a machine": "ssh",
    "at the end": "get-admin-password",
}


@pytest.mark.parametrize("when", [*BUSY, "before the steps", "after the steps"])
def test_election_of_a_minute_is_waited_for(juju: Juju, play: Play, when: str) -> None:
    if when in BUSY:
        juju.write(f"{BUSY[when]}.busy", "".join(ELECTION))
    before = [*BEGINNING[:2], *(ELECTION if when == "before the steps" else []), *BEGINNING[2:]]
    _, at, record = play(before, [*(ELECTION if when == "after the steps" else []), *ENDING])
    assert record.verdict == "passed", record.message
    assert at.log("deploy").count("not master and slaveOk=false; asking again for 5 minutes") == 1
    assert len(juju.calls("deploy")) == (13 if when == "at deploy" else 1)


@pytest.mark.parametrize("why", ["no reachable servers", "permission denied", "connection is shut down"])
def test_controller_that_goes_away_is_not_the_packages_fault(juju: Juju, play: Play, why: str) -> None:
    juju.write("get-admin-password.busy", f"ERROR {why}\n" * 100)
    record = play(BEGINNING, ENDING)[2]
    told = f"juju run keystone/leader get-admin-password: {why}"
    assert (record.verdict, record.message[: len(told)]) == ("error", told)


DOWN = "down(agent is not communicating with the server)"


@pytest.mark.parametrize(
    "change, minutes, verdict",
    [
        ({"other": DOWN}, 1, "error"),
        ({"other": DOWN}, 6, "passed"),
        ({"chassis": "unknown lost(no answer)"}, 6, "passed"),
        ({"container": DOWN}, 4, "error"),
    ],
)
def test_agent_may_be_lost_for_the_time_of_a_reboot(
    play: Play, change: dict[str, str], minutes: int, verdict: str
) -> None:
    machines = {name: change[name] for name in change.keys() - FIRST.keys()}
    away = state(LAST | {name: change[name] for name in change.keys() & FIRST.keys()}, **machines)
    _, _, record = play(BEGINNING, [*[away] * 60, *ENDING], boot_minutes=minutes)
    assert record.verdict == verdict, record.message


LOG = """\
unit-{unit}: 10:12:30 DEBUG unit.{of}.certificates-relation-changed Job for x.service failed because the control process exited
unit-{unit}: 10:12:31 WARNING unit.{of}.certificates-relation-changed oslo_db.exception.DBError: no such table: ports
unit-{unit}: 10:12:31 ERROR juju.worker.uniter.operation hook "certificates-relation-changed" (via explicit, bespoke hook script) failed: exit status 1
"""
FAILED = 'error(hook failed: "certificates-relation-changed") idle'
NO_SPACE = 'machine 0/lxd/0 pending provisioning_error(no obvious space for container "0/lxd/0")'


@pytest.mark.parametrize(
    "before, after, verdict, message",
    [
        pytest.param(BEGINNING, [state(LAST | {"neutron": FAILED})], "failed",
            'neutron-api/0: hook failed: "certificates-relation-changed": oslo_db.exception.DBError: no such table: ports',
            id="hook of what is tested"),
        pytest.param([*BEGINNING[:3], state(FIRST | {"vault": FAILED})], [], "error",
            'vault/0: hook failed: "certificates-relation-changed": oslo_db', id="hook of what supports it"),
        pytest.param(BEGINNING, [state(LAST | {"chassis": FAILED})], "error",
            'ovn-chassis/0: hook failed: "certificates-relation-changed": oslo_db', id="hook of a subordinate"),
        pytest.param(BEGINNING, [state(LAST | {"neutron": FAILED, "central": FAILED, "chassis": FAILED})], "failed",
            'neutron-api/0: hook failed: "certificates-relation-changed": oslo_db.exception.DBError: no such table: ports; '
            "in error are also ovn-central/0, ovn-chassis/0", id="hooks of several"),
        pytest.param([*BEGINNING[:3], state(FIRST, other=DOWN)], [], "error",
            "machine 1: its agent is lost: agent is not communicating with the server", id="lost machine"),
        pytest.param(BEGINNING, [state(LAST | {"chassis": "unknown lost(no answer)"})], "error",
            "machine 1: the agent of ovn-chassis/0 is lost: no answer", id="lost subordinate"),
        pytest.param(BEGINNING, [state(LAST, container=DOWN)], "error",
            "machine 0/lxd/0: its agent is lost: agent is not", id="lost container"),
        pytest.param([*BEGINNING[:1], document((*MACHINES.format(machine="started", container="pending", other="started")
            .splitlines()[:1], NO_SPACE, *APPLICATIONS.splitlines()))], [], "error",
            'machine 0/lxd/0: cannot be had: no obvious space for container "0/lxd/0"', id="container that cannot be had"),
        pytest.param([*BEGINNING[:3], state(FIRST, lines=UNITS)], [], "error",
            "ovn-chassis: is not ready after 5 minutes: it has no units", id="subordinate that never comes"),
        pytest.param(BEGINNING, [state(LAST | {"central": CERTIFICATES}, lines=UNITS)], "error",
            "ovn-chassis: is not ready after 5 minutes: it has no units, or not all; ovn-central/0: waiting",
            id="subordinate that goes away"),
        pytest.param([*BEGINNING[:3], state(FIRST | {"plugin": "maintenance executing(running install hook)"})], [], "error",
            "neutron-api-plugin-ovn/0: is not ready after 5 minutes: maintenance (executing: running install hook)",
            id="hook that never ends, beside a sealed vault"),
        pytest.param(BEGINNING, [state(LAST | {"central": CERTIFICATES})], "error",
            "ovn-central/0: is not ready after 5 minutes: waiting: 'certificates' awaiting", id="OVN without certificates"),
        pytest.param(BEGINNING, [state(LAST | {"neutron": "blocked(Ports missing) idle"})], "failed",
            "neutron-api/0: is blocked: Ports missing", id="blocked"),
        pytest.param([*BEGINNING[:2], *["ERROR no reachable servers\n"] * 70], [], "error",
            "juju status: no reachable servers", id="controller that does not come back"),
    ],
)  # fmt: skip
def test_deployment_that_fails(  # noqa: PLR0917 - the columns of the table
    juju: Juju, play: Play, before: list[object], after: list[object], verdict: str, message: str
) -> None:
    unit = message.partition(":")[0]
    juju.write("debug-log", LOG.format(unit=unit.replace("/", "-"), of=unit))
    record = play(before, after or ENDING, minutes=5)[2]
    assert (record.verdict, record.message[: len(message)]) == (verdict, message)
    assert juju.models == ["qalab-testlab-trunk"]  # it is there to be looked at


def failed_at(document: dict[str, Any], unit: str, time: str) -> dict[str, Any]:
    """Return a status whose unit has a hook that failed at a time."""

    def find(made: dict[str, Any]) -> dict[str, Any]:
        units = {name: each for app in made["applications"].values() for name, each in app.get("units", {}).items()}
        below = {name: each for principal in units.values() for name, each in principal.get("subordinates", {}).items()}
        return (units | below)[unit]

    return changed(document, (find, {"workload-status": {
        "current": "error", "message": 'hook failed: "certificates-relation-changed"', "since": f"02 May 2024 {time}Z"}}))  # fmt: skip


NEUTRON, VAULT_UNIT, ROUTER = "neutron-api/0", "vault/0", "vault-mysql-router/0"
MIRROR = """\
unit-x-0: 10:12:31 WARNING unit.x/0.install E: Failed to fetch http://m/x.deb  503  Service Unavailable
unit-x-0: 10:12:31 ERROR juju.worker.uniter.operation hook "install" (via explicit, bespoke hook script) failed: exit status 100
"""


@pytest.mark.parametrize(
    "unit, times, retries, log, verdict, count",
    [
        pytest.param(NEUTRON, ["10:00:00"], 0, LOG, "failed", 0, id="no retries"),
        pytest.param(NEUTRON, ["10:00:00"] * 4, 1, LOG, "unstable", 1, id="what is tested"),
        pytest.param(NEUTRON, ["10:00:00", "10:00:07", "10:00:14"], 3, LOG, "unstable", 3, id="fails again"),
        pytest.param(NEUTRON, ["10:00:00", "10:00:07", "10:00:14"], 2, LOG, "failed", 2, id="fails too often"),
        pytest.param(NEUTRON, ["10:00:00"] * 20, 3, LOG, "failed", 1, id="Juju does not retry"),
        pytest.param(NEUTRON, ["10:00:00"], 1, MIRROR, "passed", 1, id="mirror"),
        pytest.param(VAULT_UNIT, ["10:00:00"], 1, LOG, "passed", 1, id="what supports it"),
        pytest.param(ROUTER, ["10:00:00"], 1, LOG, "passed", 1, id="subordinate"),
    ],
)
def test_failed_hook_is_retried(  # noqa: PLR0917 - the columns of the table
    juju: Juju, play: Play, unit: str, times: list[str], retries: int, log: str, verdict: str, count: int
) -> None:
    juju.write("debug-log", log.format(unit=unit.replace("/", "-"), of=unit))
    whole = [failed_at(state(LAST), unit, time) for time in times]
    _, at, record = play(BEGINNING, [*whole, state(LAST)], retries=retries)
    assert record.verdict == verdict, record.message
    assert [call[-1] for call in juju.calls("resolved")] == [unit] * count
    assert at.log("deploy").count("; the hook is retried") == count
    why = f'{unit}: hook failed: "certificates-relation-changed": '
    if verdict == "failed":
        retried = {0: "", 1: "; retried 1 time", 2: "; retried 2 times"}[count]
        assert record.message == f"{why}oslo_db.exception.DBError: no such table: ports{retried}"
        return
    told = f"; {count} hook{'s' * (count > 1)} failed, and passed when retried: {why}"
    assert told in record.message
    assert [each.startswith(why) for each in record.facts["retried"]] == [True] * count


def test_retry_that_juju_refuses_counts(juju: Juju, play: Play) -> None:
    juju.write("debug-log", LOG.format(unit="neutron-api-0", of=NEUTRON))
    juju.write("resolved.refuses", 'ERROR cannot set resolved mode for unit "neutron-api/0": already resolved\n')
    _, at, record = play(BEGINNING, [failed_at(state(LAST), NEUTRON, "10:00:00")], retries=1)
    assert record.verdict == "failed"
    assert record.message.endswith("; retried 1 time")
    assert "juju resolved: cannot set resolved mode" in at.log("deploy")
