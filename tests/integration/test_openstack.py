"""A real OpenStack around a keystone that the lab has built: deployed, exercised, broken on purpose, gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.base import environment
from lab.config.description import Lab
from lab.config.loading import load
from lab.results.cases import Case
from lab.store.records import Record
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts import archive, configure, deploy, exercise, reset
from scripts.demo import demo
from scripts.demo.examples import KEYSTONE, OPENSTACK
from scripts.deployment import environments
from scripts.drivers.nspawn import leftovers
from scripts.exercises import cases
from scripts.registry import STEPS
from scripts.services.cloud_settings import FILE, Configured
from tests.archives import copy_state
from tests.conftest import Bench
from tests.packages import pretend_built, wait_for

pytestmark = pytest.mark.integration
NAME = OPENSTACK.component
HOUSE = Path(__file__).parent.parent.parent
# The component that the demo has built, with few others.
SMALL = replace(OPENSTACK, around=KEYSTONE.around, exercises=KEYSTONE.exercises)
# Counts the resources of each kind that configure creates.
COUNT = """
import sys
from pathlib import Path
from scripts.openstack.cloud import connect
from scripts.services.deployed_state import Deployed
deployed = Deployed.of(Path(sys.argv[1]))
admin = connect(next(each.settings for each in deployed.services.values() if each.role == "keystone"))
network = admin.network
lists = [network.networks, network.subnets, network.routers, network.security_group_rules, network.ports,
         admin.compute.flavors, admin.image.images, admin.identity.users, admin.identity.projects]
print([len(list(each())) for each in lists])
"""
REMOVE_ROUTER = """
import sys
from pathlib import Path
from scripts.openstack.cloud import connect
from scripts.services.cloud_settings import Configured
from scripts.services.deployed_state import Deployed
home = Path(sys.argv[1])
made = Configured.of(home)
settings = next(each.settings for each in Deployed.of(home).services.values() if each.role == "keystone")
network = connect(settings).network
network.remove_interface_from_router(made.router, subnet=made.subnet)
network.delete_router(made.router)
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, session_cache: Path) -> Path:
    """Return the state of a lab that has built keystone from an upstream commit."""
    state = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch, (state / "log").open("w") as log:
        for name, path in {"HOME": state, "XDG_STATE_HOME": state, "XDG_CACHE_HOME": session_cache}.items():
            patch.setenv(name, str(path))
        (home := environment.state_home() / NAME).mkdir(parents=True)
        (tip,) = demo.make_repositories(OPENSTACK, home, log)
        lab = load(demo.write_lab(OPENSTACK, home, deployed=True))
        run = Store.of(lab).new_run(lab, "trunk", NAME, tip)
        for step in run.steps:
            record = Bench(lab, run).execute(STEPS[step])
            assert record.finished_well, f"{step}: {record.message}"
    return home


@pytest.fixture
def lab(request: pytest.FixtureRequest, built: Path, shared_cache: Path) -> Iterator[Lab]:
    copy_state(built, home := environment.state_home() / NAME)
    made = load(demo.write_lab(request.param, home, deployed=True))
    yield made
    environments.target(made, "trunk").destroy()
    assert leftovers.left_by(Store.of(made).environments) == []


@pytest.fixture
def spread(lab_factory: Callable[..., Lab], shared_cache: Path) -> Iterator[Lab]:
    """Return a lab with the packages of a newer series, one small package of its own, and a node for servers only."""
    deployment = demo.deployment(OPENSTACK)
    deployment["applications"]["nova-compute"]["to"] = [1]
    deployment["applications"]["greet"] = {"role": "package", "options": {"starts_nothing": True}}
    made = lab_factory(
        name="greet",
        track={"series": "trixie", "phases": ["build", "deploy", "exercise"]},
        lab={"series": {"trixie": {}}, "deployment": deployment},
    )
    at = phase(made, "build")
    pretend_built(at, distribution="trixie")
    assert at.execute(archive).verdict == "passed"
    yield made
    environments.target(made, "trunk").destroy()
    assert leftovers.left_by(Store.of(made).environments) == []


def phase(lab: Lab, name: str) -> Bench:
    return Bench(lab, Store.of(lab).new_run(lab, "trunk", next(iter(lab.components)), phase=name))  # type: ignore[arg-type]


def ours(record: Record) -> list[str]:
    """Return the installed packages from the lab's archive, which all have the built version."""
    (version,) = {package.partition("=")[2] for package in record.facts["packages"]}
    assert f":{OPENSTACK.upstream_version}+git" in version
    return [package.partition("=")[0] for package in record.facts["packages"]]


@pytest.mark.parametrize("lab", [SMALL], ids=["small"], indirect=True)
def test_cloud_of_keystone_and_glance(lab: Lab) -> None:
    at = phase(lab, "deploy")
    record = at.execute(deploy)
    assert record.verdict == "passed", record.message
    assert ours(record) == ["keystone", "python3-keystone"]
    assert record.facts["services"]["keystone"] == ["keystone.service"]
    assert (at.run.results / "nodes/node0/keystone/keystone.log").exists()
    record = at.execute(configure)
    assert (record.verdict, record.message) == ("passed", "the user qalab")

    at = phase(lab, "exercise")
    record = at.execute(exercise)
    assert record.verdict == "passed", record.message
    found = cases.read(at.run.path / record.native[0].path)
    assert {case.classname for case in found} == {"installed", "command", "token", "image-bundle", "stability"}
    assert [case.output for case in found if case.classname == "command"] == [OPENSTACK.prints]
    assert all(case.output for case in found if "is uploaded" in case.name or "token is issued" in case.name)

    # Once more, without harm; and with the database away.
    assert phase(lab, "exercise").execute(exercise).verdict == "passed"
    (node,) = environments.target(lab, "trunk").nodes()
    node.run(["systemctl", "stop", "mariadb.service"])
    record = phase(lab, "exercise").execute(exercise)
    assert record.verdict == "error"  # the database only supports what is tested
    assert "stability: mariadb: mariadb.service kept running on node0: it is inactive" in record.message
    assert at.execute(reset).message == "pristine again"


def beside(lab: Lab, script: str) -> str:
    """Run a Python program where it can reach the cloud; return its output."""
    argv = [sys.executable, "-c", script, str(Store.of(lab).environments / "trunk")]
    return environments.target(lab, "trunk").beside(argv, cwd=HOUSE, capture=True).stdout


def one(lab: Lab, name: str) -> dict[str, Case]:
    """Return the cases of one exercise by name."""
    at = phase(lab, "exercise")
    home = Store.of(lab).environments / "trunk"
    with (at.run.results / "log").open("w") as log:
        target = environments.target(lab, "trunk", log)
        context = StepContext(lab, at.run, log)
        exercising = exercise.Exercising(context, target, "nspawn", home, at.run.results / cases.FILE)
        return {case.name: case for case in exercising.carry_out(name, None)}


def kill_while(lab: Lab, name: str, after: str, at: Path) -> None:
    """Kill an exercise when it has come so far."""
    argv = [sys.executable, "-m", "scripts.exercises", name, "nspawn", Store.of(lab).environments / "trunk", at]
    process = subprocess.Popen(
        environments.target(lab, "trunk").keeper.inside(argv, "net"), cwd=HOUSE, start_new_session=True
    )
    wait_for(lambda: at.exists() and after in at.read_text(), 300)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.full
@pytest.mark.parametrize("lab", [OPENSTACK], ids=["whole"], indirect=True)
def test_cloud_with_all_services(lab: Lab, tmp_path: Path) -> None:
    at = phase(lab, "deploy")
    record = at.execute(deploy)
    assert record.verdict == "passed", record.message
    assert ours(record) == ["keystone", "python3-keystone"]

    # Configured twice, nothing is there twice.
    first = at.execute(configure)
    assert first.verdict == "passed", first.message
    counted = beside(lab, COUNT)
    second = at.execute(configure)
    assert (second.verdict, second.facts, beside(lab, COUNT)) == ("passed", first.facts, counted)
    made = Configured.read(Store.of(lab).environments / "trunk" / FILE)
    assert Path(made.key).stat().st_mode & 0o777 == 0o600
    assert made.secret not in (at.run.results / "configure.log").read_text()

    # Exercised twice, without harm.
    for _ in range(2):
        at = phase(lab, "exercise")
        record = at.execute(exercise)
        assert record.verdict == "passed", record.message
        found = cases.read(at.run.path / record.native[0].path)
        assert {case.classname for case in found} == {"installed", "command", "stability", *OPENSTACK.exercises}
        assert [case.output for case in found if case.name == "nothing is left of others"] == [""] * 4

    # Killed with a volume attached: the next one cleans up, and passes.
    kill_while(lab, "volume", "it is attached", tmp_path / "killed")
    found = one(lab, "volume")
    assert {case.outcome for case in found.values()} == {"passed"}, found
    assert "server volume" in found["nothing is left of others"].output

    # Broken on purpose.
    (node,) = environments.target(lab, "trunk").nodes()
    node.run(["systemctl", "stop", "cinder-volume.service"])
    # Its exit status after SIGTERM during work does not matter.
    node.run(["systemctl", "reset-failed", "cinder-volume.service"], check=False)
    case = one(lab, "volume")["a volume is created"]
    assert (case.outcome, case.message) == (
        "failed",
        "the volume is creating and not available: cinder-volume.service on node0 is inactive",
    )
    node.run(["systemctl", "start", "cinder-volume.service"])
    node.run(["ip", "netns", "delete", f"qrouter-{made.router}"])
    case = one(lab, "floating-ip")["it answers to ping"]
    assert case.outcome == "failed"
    assert case.message.startswith("no answer to ping at 172.24.4.")
    beside(lab, REMOVE_ROUTER)
    case = one(lab, "floating-ip")["an address is allocated and associated"]
    assert case.outcome == "failed"
    assert f"External network {made.external_network} is not reachable from subnet {made.subnet}." in case.message

    # Missing resources are created again.
    assert phase(lab, "deploy").execute(configure).verdict == "passed"
    found = one(lab, "floating-ip")
    assert {case.outcome for case in found.values()} == {"passed"}, found


@pytest.mark.full
def test_cloud_on_two_nodes(spread: Lab) -> None:
    at = phase(spread, "deploy")
    for step in (deploy, configure):
        record = at.execute(step)
        assert record.verdict == "passed", record.message
    # Whatever a server is reached by crosses from one node to the other.
    for name in ("instance", "floating-ip"):
        found = one(spread, name)
        assert {case.outcome for case in found.values()} == {"passed"}, found
    there = ["sh", "-c", "ls /var/log/libvirt/qemu/instance-*"]
    nodes = environments.target(spread, "trunk").nodes()
    assert [bool(node.run(there, check=False)) for node in nodes] == [False, True]
