"""The effects of roles on a node: the files that they write, and hidden secrets."""

from __future__ import annotations

import configparser
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.base.errors import ConfigurationError
from lab.base.run import Result
from scripts.drivers.topology import Application
from scripts.roles import neutron, rabbitmq
from scripts.roles.registry import ROLES
from scripts.services.api_server import ASK
from scripts.services.site import Site

CLOUD = tuple(name for name in ROLES if name != "package")


@dataclass
class Node:
    """Has the files that are written to it, and no others; all programs succeed."""

    name: str
    address: str
    files: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def read(self, path: str) -> str:
        return self.files.get(path, "")

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        self.files[path] = text

    def run(self, argv: Any, **options: Any) -> Result:
        self.asked.append(" ".join(map(str, argv)))
        return Result(tuple(argv), 0, self.answer([*map(str, argv)]))

    @staticmethod
    def answer(words: list[str]) -> str:
        """Return what the packages of Debian have."""
        if ASK in words:
            return f"{words[5]}.service\n/etc/{words[5].partition('-')[0]}/{words[5]}-uwsgi.ini\n"
        if words[:2] == ["systemctl", "show"]:
            return "\n\n".join("LoadState=loaded" for _ in words[words.index("--") + 1 :])
        return ""

    def attempt(self, argv: Any, **options: Any) -> tuple[Result, list[str]]:
        return self.run(argv), []


@pytest.fixture
def cloud() -> Site:
    """Configure a whole cloud on a node, and nova-compute also on another one."""
    return configured()


def configured(files: Mapping[str, str] | None = None, **options: dict[str, Any]) -> Site:
    """``files``: what packages have on all nodes."""
    nodes: dict[str, Any] = {
        f"node{number}": Node(f"node{number}", f"10.20.0.1{number}", {**(files or {})}) for number in range(2)
    }
    applications = {
        name: Application(
            name, ROLES[name], (), ("node0", "node1")[: 1 + (name == "nova-compute")], options.get(name, {})
        )
        for name in CLOUD
    }
    site = Site(nodes, lambda *_, **__: Result((), 0), lambda *_: None, tuple(applications.values()))
    for part in ("describe", "configure"):
        for name, application in applications.items():
            found = getattr(ROLES[name], part)(site, application)
            if found:
                site.services[name] = found
    return site


def test_command_lines_have_no_password(cloud: Site) -> None:
    asked = "\n".join(line for node in cloud.nodes.values() for line in node.asked)  # type: ignore[attr-defined]
    assert "nova-manage" in asked
    assert len(cloud.passwords.made) > len(CLOUD)
    assert [use for use, password in cloud.passwords.made.items() if password in asked] == []


@pytest.mark.parametrize(
    ("node", "path", "option", "expected"),
    [
        ("node0", "/etc/nova/nova.conf", "placement/username", "nova"),
        ("node0", "/etc/nova/nova.conf", "DEFAULT/my_ip", "10.20.0.10"),
        ("node1", "/etc/nova/nova.conf", "DEFAULT/my_ip", "10.20.0.11"),
        ("node1", "/etc/nova/nova.conf", "service_user/send_service_user_token", "true"),
        (
            "node0",
            "/etc/neutron/plugins/ml2/openvswitch_agent.ini",
            "ovs/bridge_mappings",
            "projects:br-projects,external:br-ex",
        ),
        ("node1", "/etc/neutron/plugins/ml2/openvswitch_agent.ini", "ovs/bridge_mappings", "projects:br-projects"),
        ("node0", "/etc/neutron/metadata_agent.ini", "DEFAULT/nova_metadata_host", "10.20.0.10"),
        ("node0", "/etc/cinder/cinder.conf", "DEFAULT/glance_api_servers", "http://10.20.0.10:9292"),
        ("node0", "/etc/glance/glance-manage.conf", "keystone_authtoken/auth_url", "http://10.20.0.10:5000/v3"),
        ("node0", "/etc/glance/glance-api.conf", "image_format/require_image_format_match", "false"),
    ],
)
def test_options_of_configuration_files(cloud: Site, node: str, path: str, option: str, expected: str) -> None:
    section, _, name = option.partition("/")
    assert parsed(cloud, node, path)[section][name] == expected


def test_compute_node_has_no_database_option(cloud: Site) -> None:
    for path in ("/etc/nova/nova.conf", "/etc/neutron/neutron.conf"):
        assert {"database", "api_database"} & {*parsed(cloud, "node0", path)}
        assert not {"database", "api_database"} & {*parsed(cloud, "node1", path)}


@pytest.mark.parametrize(
    "mechanism, path, section",
    [
        ("openvswitch", "nova", "api_database"),
        ("openvswitch", "nova", "database"),
        ("openvswitch", "neutron", "database"),
        ("ovn", "nova", "api_database"),
        ("ovn", "nova", "database"),
    ],
)
def test_compute_node_loses_the_databases_of_its_package(mechanism: str, path: str, section: str) -> None:
    """Ubuntu's files name databases of SQLite."""
    shipped = "[database]\nconnection = sqlite:////x\n[api_database]\nconnection = sqlite:////y\n"
    files = {f"/etc/{name}/{name}.conf": shipped for name in ("nova", "neutron")}
    cloud = configured(files, neutron={"mechanism": mechanism})
    found = [parsed(cloud, node, f"/etc/{path}/{path}.conf")[section].get("connection") for node in ("node0", "node1")]
    assert str(found[0]).startswith("mysql+pymysql://")
    assert found[1] is None


def test_metadata_agent_and_nova_share_secret(cloud: Site) -> None:
    agent = parsed(cloud, "node0", "/etc/neutron/metadata_agent.ini")["DEFAULT"]
    assert agent["metadata_proxy_shared_secret"] == cloud.passwords.of("metadata")
    nova = parsed(cloud, "node0", "/etc/nova/nova.conf")["neutron"]
    assert nova["metadata_proxy_shared_secret"] == cloud.passwords.of("metadata")


def parsed(cloud: Site, node: str, path: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(cloud.nodes[node].read(path))
    return parser


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("172.24.4.0/24", "172.24.4.1")),
        ({"external_cidr": "192.0.2.128/25"}, ("192.0.2.128/25", "192.0.2.129")),
    ],
)
def test_external_network_and_gateway(options: dict[str, str], expected: tuple[str, str]) -> None:
    network, gateway = neutron.external(Application("net", neutron, (), ("node0",), options))
    assert (str(network), gateway) == expected


@pytest.mark.parametrize("cidr", ["172.24.4.1/24", "floating", "2001:db8::/64"])
def test_external_network_refuses_invalid_cidr(cidr: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^deployment.applications.net.options.external_cidr: "):
        neutron.external(Application("net", neutron, (), ("node0",), {"external_cidr": cidr}))


def test_rabbitmq_has_one_user_with_all_permissions() -> None:
    made = json.loads(rabbitmq.definitions("secret"))
    assert made["users"] == [{"name": "openstack", "password": "secret", "tags": ""}]
    assert made["permissions"] == [{"user": "openstack", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]


@pytest.mark.parametrize(
    ("mechanism", "node", "path", "option", "expected"),
    [
        ("ovn", "node0", "/etc/neutron/neutron.conf", "DEFAULT/service_plugins", "ovn-router"),
        ("ovn", "node0", "/etc/neutron/plugins/ml2/ml2_conf.ini", "ml2/mechanism_drivers", "ovn"),
        ("ovn", "node0", "/etc/neutron/plugins/ml2/ml2_conf.ini", "ovn/ovn_nb_connection", "tcp:10.20.0.10:6641"),
        ("ovn", "node0", "/etc/neutron/plugins/ml2/ml2_conf.ini", "ovn/ovn_sb_connection", "tcp:10.20.0.10:6642"),
        ("ovn", "node1", "/etc/neutron/neutron_ovn_metadata_agent.ini", "ovn/ovn_sb_connection", "tcp:10.20.0.10:6642"),
        ("ovn", "node1", "/etc/neutron/neutron_ovn_metadata_agent.ini", "DEFAULT/nova_metadata_host", "10.20.0.10"),
        ("openvswitch", "node0", "/etc/neutron/neutron.conf", "DEFAULT/service_plugins", "router"),
        ("openvswitch", "node0", "/etc/neutron/plugins/ml2/ml2_conf.ini", "ml2/mechanism_drivers", "openvswitch"),
    ],
)
def test_options_of_a_mechanism(mechanism: str, node: str, path: str, option: str, expected: str) -> None:
    made = configured(neutron={"mechanism": mechanism})
    section, _, name = option.partition("/")
    assert parsed(made, node, path)[section][name] == expected
    agents = {path for each in made.nodes.values() for path in each.files if "agent.ini" in path}  # type: ignore[attr-defined]
    assert ("/etc/neutron/neutron_ovn_metadata_agent.ini" in agents) == (mechanism == "ovn")
    assert ("/etc/neutron/l3_agent.ini" in agents) == (mechanism != "ovn")
    secret = parsed(made, node, path)["DEFAULT"].get("metadata_proxy_shared_secret")
    assert secret in {None, made.passwords.of("metadata")}


def test_unknown_mechanism_is_refused() -> None:
    where = r"^deployment.applications.net.options.mechanism: linuxbridge; known: openvswitch, ovn"
    with pytest.raises(ConfigurationError, match=where):
        neutron.is_ovn(Application("net", neutron, (), ("node0",), {"mechanism": "linuxbridge"}))
