"""A topology as a bundle: the same bytes each time, and nothing in it that is not Juju's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from lab.base.errors import ConfigurationError
from lab.config.description import Series
from scripts.chroots.bootstrap import Repository
from scripts.drivers.juju.bundle import base, bundle, overlay, release_of, sources
from scripts.drivers.topology import Application, Charm, CharmRole, Topology

LAB = Repository("http://archive.lab.example", "trunk", "KEY\nOF THE LAB\n", "testlab")
MYSQL = Application("mysql", CharmRole("mysql-innodb-cluster", SUPPORTING=True), (), ("node0", "node1"), {},
                    Charm("mysql-innodb-cluster", "8.0/stable"))  # fmt: skip
ROUTER = Application("router", CharmRole("mysql-router", SUPPORTING=True), (), (), {}, Charm("mysql-router"))
KEYSTONE = Application("keystone", CharmRole("keystone", SUPPORTING=False), (), ("node1",),
                       {"region": "One", "worker-multiplier": 1, "command": "keystone-manage --version"},
                       Charm("keystone", "2024.1/stable", "openstack-origin"))  # fmt: skip
TOPOLOGY = Topology((MYSQL, ROUTER, KEYSTONE), (("keystone:shared-db", "router:shared-db"),))
BUNDLE = """\
applications:
  keystone:
    channel: 2024.1/stable
    charm: keystone
    num_units: 1
    options:
      region: One
      worker-multiplier: 1
    to:
    - '1'
  mysql:
    channel: 8.0/stable
    charm: mysql-innodb-cluster
    num_units: 2
    to:
    - '0'
    - '1'
  router:
    charm: mysql-router
default-base: ubuntu@24.04
machines:
  '0': {}
  '1': {}
relations:
- - keystone:shared-db
  - router:shared-db
"""


def test_bundle_of_topology() -> None:
    assert bundle(TOPOLOGY, {"node0": "0", "node1": "1"}, "ubuntu@24.04") == BUNDLE


@pytest.mark.parametrize(
    "name, origin, options, managed",
    [
        ("keystone", "openstack-origin", {}, True),
        ("ch:nova-compute", "openstack-origin", {}, True),
        ("keystone", "openstack-origin", {"action-managed-upgrade": False}, None),  # the bundle has it
        ("barbican", "openstack-origin", {}, None),  # a charm of layers has no such option
        ("designate-bind", "openstack-origin", {}, None),
        ("rabbitmq-server", "source", {}, None),
        ("keystone", "source", {}, None),
    ],
)
def test_overlay_sets_package_source(name: str, origin: str, options: dict[str, bool], *, managed: bool | None) -> None:
    application = replace(KEYSTONE, options=options, charm=Charm(name, origin=origin))
    found = yaml.safe_load(overlay([application], LAB))["applications"]["keystone"]["options"]
    assert found.pop("action-managed-upgrade", None) is managed
    assert found == sources(origin, LAB)


LINE = "deb http://archive.lab.example trunk main"


@pytest.mark.parametrize(
    "option, expected",
    [
        ("openstack-origin", {"openstack-origin": f"{LINE}|KEY\nOF THE LAB"}),
        ("source", {"source": LINE, "key": "KEY\nOF THE LAB"}),
        ("package-source", {"package-source": LINE, "key": "KEY\nOF THE LAB"}),
        ("install_sources", {"install_sources": f"- {LINE}\n", "install_keys": "- 'KEY\n\n  OF THE LAB'\n"}),
    ],
)
def test_archive_in_the_notation_of_an_option(option: str, expected: dict[str, str]) -> None:
    assert sources(option, LAB) == expected


@pytest.mark.parametrize(
    "source, release",
    [
        ("deb http://archive.lab.example/caracal trunk main", "caracal"),
        ("deb http://archive.lab.example epoxy main", "epoxy"),
        ("deb http://stockpike.example/caracal trunk main", "pike"),  # as the charms do
        ("deb http://archive.lab.example trunk main", ""),
    ],
)
def test_release_that_charms_derive_from_a_source(source: str, release: str) -> None:
    assert release_of(source) == release


def test_code_name_in_the_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="take the release zed from letters of the archive's key"):
        sources("openstack-origin", replace(LAB, key="mQzedK="))
    sources("openstack-origin", replace(LAB, key="mQzedK=", url="http://archive.lab.example/yoga"))  # it is older


@pytest.mark.parametrize(
    ("name", "series", "chosen", "expected"),
    [
        ("noble", Series(distribution="ubuntu"), None, "ubuntu@24.04"),
        ("lts", Series(distribution="ubuntu", codename="jammy"), None, "ubuntu@22.04"),
        ("bookworm", Series(), "ubuntu@20.04", "ubuntu@20.04"),
        ("bookworm", Series(), None, "deployment.juju.base: missing: bookworm is none of Juju's; known: focal, "),
    ],
)  # fmt: skip
def test_base_of_series(name: str, series: Series, chosen: str | None, expected: str) -> None:
    try:
        assert base(name, series, chosen) == expected
    except ConfigurationError as error:
        assert str(error).startswith(expected)  # noqa: PT017 - the table has both
