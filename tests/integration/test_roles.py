"""Roles on real nodes: a small cloud on two of them, and the message for each failure of a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.config.description import Lab
from scripts.deployment.package_deployer import Packages
from scripts.deployment.planner import pristine, topology
from scripts.drivers.interfaces import Node
from scripts.drivers.nspawn import leftovers
from scripts.drivers.nspawn.driver import NspawnTarget
from scripts.roles import cinder, rabbitmq
from scripts.roles.registry import ROLES, Role
from scripts.services import waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

pytestmark = pytest.mark.full
# Long enough for a service to start, or to die twice, on a loaded machine.
CROWDED_SECONDS = 30
SPREAD = {"mariadb": 0, "rabbitmq": 0, "memcached": 1, "keystone": 1, "glance": 0, "cinder": 0}
RELATIONS = (("keystone", "mariadb"), ("glance", "keystone"), ("cinder", "glance"), ("cinder", "rabbitmq"))


def described(spread: dict[str, int]) -> Lab:
    return Lab.model_validate({
        "lab": {"name": "roles", "maintainer": "Test Lab <lab@lab.example>"},
        "series": {"bookworm": {}},
        "tracks": {"trunk": {"series": "bookworm", "phases": ("deploy",)}},
        "components": {"keystone": {}},
        "deployment": {
            "applications": {name: {"role": name, "to": (node,)} for name, node in spread.items()},
            "relations": RELATIONS,
        },
    })  # fmt: skip


@dataclass(frozen=True)
class Cloud:
    """A site after setup; ``said``: the messages of the setup."""

    site: Site
    said: list[str]

    def start(self, role: Role) -> None:
        """Restart an application."""
        application = next(each for each in self.site.applications if each.role is role)
        role.start(self.site, application)

    @property
    def node(self) -> Node:
        return self.site.nodes["node0"]


@pytest.fixture(scope="module")
def cloud(session_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Deploy once: a test that breaks something must repair it."""
    home = tmp_path_factory.mktemp("environments")
    target, said = NspawnTarget(home / "trunk"), [""]
    plan = topology(described(SPREAD), "trunk", "keystone", {})
    everything = described({name: 0 for name in ROLES if name != "package"})
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(session_cache))
        # The pristine state of a whole cloud, which other tests want as well.
        wanted = pristine(everything, "trunk", topology(everything, "trunk", "keystone", {}), None)
        with target.prepare(wanted) as snapshot:
            nodes = target.create(snapshot, plan.nodes)
    try:
        made = Packages(nodes, target, None, {}, said.append).deploy(plan)
        site = Site({node.name: node for node in nodes}, target.beside, target.route, plan.applications)
        site.services.update(made.services)
        yield Cloud(site, said)
    finally:
        target.destroy()
    assert leftovers.left_by(home) == []


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "CROWDED_SECONDS", CROWDED_SECONDS)


@contextmanager
def instead(cloud: Cloud, path: str, text: str) -> Iterator[None]:
    """Another file where a package or a role has put one."""
    before = cloud.node.read(path)
    cloud.node.write(path, text)
    try:
        yield
    finally:
        cloud.node.write(path, before)


def test_services_run_on_their_nodes_only(cloud: Cloud) -> None:
    services: dict[str, Service] = cloud.site.services
    assert {name: service.nodes for name, service in services.items()} == {
        name: (f"node{number}",) for name, number in SPREAD.items()
    }
    for service in services.values():
        for name, node in cloud.site.nodes.items():
            for unit in service.units:
                assert bool(node.run(["systemctl", "--quiet", "is-active", unit], check=False)) == (
                    name in service.nodes
                ), f"{unit} on {name}"
    assert services["keystone"].settings["auth_url"].startswith(f"http://{cloud.site.nodes['node1'].address}:")
    assert cloud.said.index("start keystone") < cloud.said.index("start glance") < cloud.said.index("start cinder")


DIES = "#!/bin/sh\necho fatal: no backend >&2\nexit 3\n"
IDLES = "#!/bin/sh\nexec sleep infinity\n"
BROKEN = {
    "a volume service that starts and dies": (
        cinder, "/usr/bin/cinder-volume", DIES, Failed,
        "cinder: cinder-volume.service starts and dies on node0 (exit-code): fatal: no backend",
    ),
    "a volume service that is off": (
        cinder, "/usr/bin/cinder-volume", IDLES, Failed,
        f"cinder: is not well on node0 after {CROWDED_SECONDS} s: cinder-volume on node0 is not alive",
    ),
    "an API that never is well": (
        cinder, "/usr/bin/cinder-wsgi", "raise RuntimeError('no schema')\n", Failed,
        f"cinder: is not well on node0 after {CROWDED_SECONDS} s: http://10.20.0.11:8776: status 500",
    ),
    "a queue that does not start": (
        rabbitmq, "/etc/rabbitmq/rabbitmq.conf", "no option\n", InfrastructureError,
        "rabbitmq: rabbitmq-server.service does not start on node0: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_broken_role_is_reported(cloud: Cloud, what: str) -> None:
    role, path, text, fault, message = BROKEN[what]
    # The state from earlier starts does not count.
    cloud.node.run(["systemctl", "stop", *cinder.UNITS])
    cloud.node.run(["cinder-manage", "service", "remove", "cinder-volume", "node0@nfs"], check=False)
    with instead(cloud, path, text), pytest.raises(LabError) as caught:
        cloud.start(role)
    assert isinstance(caught.value, fault)
    assert str(caught.value).startswith(message)


def test_repaired_role_starts_again(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for role in (rabbitmq, cinder):
        cloud.start(role)
