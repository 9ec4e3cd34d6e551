"""What roles do on each release: packages, files, units and commands, as tables in tests/data/roles.

``python -m tests.scripts.roles.test_golden_roles`` writes the tables anew.  tests/integration/test_role_packages.py
looks for each row of Debian's in the packages themselves.  No Ubuntu archive was there to be asked: each row of Ubuntu's
names a source that was read (`SOURCES`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.base.run import Result
from lab.config.description import Series
from scripts.drivers.topology import Application
from scripts.roles import keystone, nova
from scripts.roles.registry import ROLES
from scripts.roles.role_packages import packages_of
from scripts.services.api_server import ASK
from scripts.services.site import Site
from tests.scripts.roles.test_packagings import PACKAGINGS, PackagedNode

TABLES = Path(__file__).parents[2] / "data/roles"
CLOUD = [name for name in ROLES if name != "package"]
UCA = {
    "url": "http://ubuntu-cloud.archive.canonical.com/ubuntu",
    "keyring": "/usr/share/keyrings/ubuntu-cloud-keyring.gpg",
}


@dataclass(frozen=True)
class Platform:
    """A series, the way its packages serve APIs, and the mechanism of neutron."""

    series: str
    distribution: str
    packaging: str
    cloud: str = ""
    mechanism: str = "openvswitch"

    @property
    def described(self) -> Series:
        suites = [f"{self.series}-updates/{self.cloud}"] if self.cloud else []
        described = {"distribution": self.distribution, "archives": [{**UCA, "suite": suite} for suite in suites]}
        return Series.model_validate_json(json.dumps(described))


PLATFORMS = {
    "debian-12": Platform("bookworm", "debian", "debian"),
    "debian-13": Platform("trixie", "debian", "debian-13"),
    "debian-13-ovn": Platform("trixie", "debian", "debian-13", mechanism="ovn"),
    "ubuntu-22.04": Platform("jammy", "ubuntu", "caracal"),
    "ubuntu-24.04": Platform("noble", "ubuntu", "caracal"),
    "ubuntu-24.04-ovn": Platform("noble", "ubuntu", "caracal", mechanism="ovn"),
    "ubuntu-24.04-epoxy": Platform("noble", "ubuntu", "caracal", "epoxy"),
    "ubuntu-24.04-flamingo": Platform("noble", "ubuntu", "gazpacho", "flamingo"),
    "ubuntu-26.04": Platform("resolute", "ubuntu", "gazpacho"),
    "ubuntu-26.04-ovn": Platform("resolute", "ubuntu", "gazpacho", mechanism="ovn"),
}
# The package has an init script only, of which systemd makes a unit.
FILES = PACKAGINGS | {"debian-13": {**PACKAGINGS["debian"], "/etc/init.d/neutron-periodic-workers": ""}}
# Repositories, with the commit that was read, and what they name on Ubuntu.
SOURCES = {
    "canonical/regress-stack@d8f1e8c300b2 src/regress_stack/modules": """
        keystone apache2.service glance /etc/keystone/keystone.conf glance-api.service /etc/glance/glance-api.conf
        placement-api /etc/placement/placement.conf nova-api nova-api.service nova-conductor nova-conductor.service
        nova-scheduler nova-scheduler.service nova-compute nova-compute.service /etc/nova/nova.conf
        neutron-server neutron-server.service neutron-api neutron-rpc-server neutron-rpc-server.service
        neutron-periodic-workers neutron-ovn-metadata-agent neutron-ovn-metadata-agent.service /etc/neutron/neutron.conf
        /etc/neutron/plugins/ml2/ml2_conf.ini /etc/neutron/neutron_ovn_metadata_agent.ini openvswitch-switch ovn-central
        ovn-host cinder-api cinder-scheduler cinder-scheduler.service cinder-volume cinder-volume.service
        /etc/cinder/cinder.conf rabbitmq-server rabbitmq-server.service nova-api-metadata
    """,
    "openstack/puppet-neutron@6ff578e6f3b6 manifests/params.pp": """
        neutron-plugin-ml2 neutron-periodic-workers.service neutron-openvswitch-agent neutron-openvswitch-agent.service
        neutron-dhcp-agent neutron-dhcp-agent.service neutron-l3-agent neutron-l3-agent.service neutron-metadata-agent
        neutron-metadata-agent.service
    """,
    "openstack/charm-neutron-openvswitch@3d3c1a7 hooks": """
        /etc/neutron/plugins/ml2/openvswitch_agent.ini /etc/neutron/dhcp_agent.ini /etc/neutron/l3_agent.ini
        /etc/neutron/metadata_agent.ini ovs-vswitchd.service
    """,
    "openstack/charm-nova-compute@77f2e9e hooks/nova_compute_utils.py": """
        genisoimage nova-compute-kvm libvirtd.service /etc/libvirt/qemu.conf /etc/nova/nova-compute.conf
    """,
    "openstack/charm-placement@e0abd7aa8f36 src/lib/charm/openstack/placement.py": "python3-pymysql",
    "openstack/charm-keystone@de9baffa91d7 hooks/keystone_utils.py": "memcached memcached.service /etc/memcached.conf",
    "openstack/charm-rabbitmq-server@2ad1f5d hooks/rabbit_utils.py": "/etc/rabbitmq/rabbitmq.conf",
    "openstack/puppet-horizon@1d776d3f0103 manifests/params.pp": "python3-pymemcache",
    "ovn-org/ovn@6b47f4fd81c2 debian": """
        ovn-ovsdb-server-nb.service ovn-ovsdb-server-sb.service ovn-northd.service ovn-controller.service
    """,
    # Of Debian's maintainer; Ubuntu is taken to have the same.
    "ottok/mariadb@0434c21d64eb debian/mariadb-server.install": """
        mariadb-server mariadb.service /etc/mysql/mariadb.conf.d/99-lab.cnf
    """,
}
OWN = "/etc/rabbitmq/definitions.json /etc/modprobe.d/openvswitch.conf /etc/cinder/nfs_shares /sbin/mount.nfs"


def table(platform: Platform, root: Path) -> Iterator[str]:
    """Yield the lines of a table: a role, and below it what it does, in the order in which it does it."""
    for path, text in FILES[platform.packaging].items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for top in ("etc", "usr/lib", "lib"):
        (root / top).mkdir(parents=True, exist_ok=True)
    nodes = {
        name: PackagedNode(name, f"10.20.0.1{number}", root=root) for number, name in enumerate(("node0", "node1"))
    }
    options = {"neutron": {"mechanism": platform.mechanism}}
    applications = {
        name: Application(
            name, ROLES[name], (), ("node0", "node1")[: 1 + (name == "nova-compute")], options.get(name, {})
        )
        for name in CLOUD
    }
    site = Site(nodes, lambda *_, **__: Result((), 0), lambda *_: None, tuple(applications.values()))
    done: dict[str, list[str]] = {name: [] for name in CLOUD}
    for phase in ("describe", "configure", "start"):
        for name, application in applications.items():
            before = {node.name: {*node.files} for node in nodes.values()}
            found = getattr(ROLES[name], phase)(site, application)
            if phase == "describe":
                site.services[name] = found
                done[name] += [f"package {each}" for each in packages_of(
                    ROLES[name], platform.series, platform.described, with_ovn=platform.mechanism == "ovn")]  # fmt: skip
                done[name] += [f"unit {each}" for each in found.units]
            for node in nodes.values():
                done[name] += [f"{node.name} file {path}" for path in node.files if path not in before[node.name]]
                done[name] += [f"{node.name} {phase} {line}" for line in map(shown, node.asked) if line]
                node.asked.clear()
    for name, lines in done.items():
        yield name
        yield from (f"  {line}" for line in dict.fromkeys(lines))


def shown(command: str) -> str:
    """Return a command on one line, "" for a question."""
    if ASK in command or command.startswith(("systemctl show", "test -e", "cat ", "mariadb")):
        return ""
    lines = [line.strip() for line in command.splitlines() if line.strip()]
    return lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1]}"


def in_sequence(*calls: Callable[[], object]) -> None:
    for call in calls:
        call()


@pytest.mark.parametrize("name", PLATFORMS)
def test_table_of_a_platform(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (keystone, nova):
        monkeypatch.setattr(module, "side_by_side", in_sequence)
    assert [*table(PLATFORMS[name], tmp_path)] == (TABLES / f"{name}.txt").read_text().splitlines()


@pytest.mark.parametrize("name", [name for name in PLATFORMS if name.startswith("ubuntu")])
def test_rows_of_ubuntu_have_a_source(name: str) -> None:
    known = {word for words in (*SOURCES.values(), OWN) for word in words.split()}
    rows = [line.split() for line in (TABLES / f"{name}.txt").read_text().splitlines() if line.startswith(" ")]
    named = {row[1] for row in rows if row[0] in {"package", "unit"}} | {row[2] for row in rows if row[1] == "file"}
    assert named <= known


def test_sources_name_rows_only() -> None:
    tables = " ".join(path.read_text() for path in TABLES.glob("ubuntu*.txt")).split()
    assert {word for words in (*SOURCES.values(), OWN) for word in words.split()} <= {*tables}


def test_each_platform_has_its_table() -> None:
    assert {path.stem for path in TABLES.glob("*.txt")} == PLATFORMS.keys()


if __name__ == "__main__":
    TABLES.mkdir(exist_ok=True)
    for module in (keystone, nova):
        module.side_by_side = in_sequence  # type: ignore[attr-defined]
    for name, platform in PLATFORMS.items():
        with tempfile.TemporaryDirectory() as directory:
            (TABLES / f"{name}.txt").write_text("".join(f"{line}\n" for line in table(platform, Path(directory))))
