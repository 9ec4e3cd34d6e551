"""A lab with Juju, and a client that answers as documented."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.archive import PUBLIC_KEY
from lab.store.runs import Store
from lab.store.step import architecture
from scripts.deployment import charm_deployer
from scripts.drivers.juju import driver, patience, watch
from tests import jujufake
from tests.clocks import Moved
from tests.jujufake import Juju

URL = "http://archive.lab.example/debian"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n"
VERSION = "2:25.1~git20260306-0lab1"
MODEL = "lab:qalab-testlab-trunk"
KEYSTONE = {
    "mysql": {"role": "mysql-innodb-cluster", "channel": "8.0/stable", "to": [0, 1, 2]},
    "keystone-mysql-router": {"role": "mysql-router", "channel": "8.0/stable", "to": []},
    "keystone": {"role": "keystone", "channel": "2024.1/stable", "to": [3], "origin": "openstack-origin",
                 "options": {"region": "RegionTwo"}},
}  # fmt: skip
RELATIONS = [
    ["keystone:shared-db", "keystone-mysql-router:shared-db"],
    ["keystone-mysql-router:db-router", "mysql:db-router"],
]


@pytest.fixture
def juju(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Juju:
    for module in (charm_deployer, driver):
        monkeypatch.setattr(module, "Watch", partial(watch.Watch, clock=Moved().clock))
    monkeypatch.setattr(driver, "JujuPatience", partial(patience.JujuPatience, clock=Moved().clock))
    return jujufake.install(tmp_path, monkeypatch)


@pytest.fixture
def describe(lab_factory: Callable[..., Lab]) -> Callable[..., Lab]:
    """Return a function that creates a lab with Juju, whose archive has the component."""

    def make(
        name: str = "keystone", applications: Any = None, version: str = VERSION, relations: Any = (), **settings: Any
    ) -> Lab:
        deployment = {
            "target": "juju", "applications": applications or KEYSTONE, "relations": [*relations], "juju": settings,
        }  # fmt: skip
        if applications is None:
            deployment["relations"] = RELATIONS
        lab = lab_factory(
            name=name,
            track={"series": "noble", "phases": ["build", "deploy", "exercise"]},
            lab={
                "series": {"noble": {"distribution": "ubuntu"}},
                "archive": {"url": f"{URL}/"},
                "deployment": deployment,
            },
        )
        archive = Store.of(lab).archive
        index = archive / f"dists/trunk/main/binary-{architecture()}/Packages"
        index.parent.mkdir(parents=True)
        index.write_text(f"Package: {name}\nVersion: {version}\n")
        (archive / "dists/trunk/Release").write_text("Suite: trunk\n")
        (archive / PUBLIC_KEY).write_text(KEY)
        return lab

    return make


def installed(juju: Juju, name: str, version: str = VERSION, where: str = URL) -> None:
    """Set the output of dpkg and apt on all machines."""
    juju.write("installed", f"{name}\t{version}\t{name}\t{version}\tinstalled\nlibc6\t2.39\tglibc\t2.39\tinstalled\n")
    juju.write(
        "policy",
        f"{name}:\n  Installed: {version}\n *** {version} 1001\n       1001 {where} trunk/main amd64 Packages\n",
    )
