"""Services of packages that the track did not build, on real containers: what packaging enables runs, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.records import Record
from scripts.deployment import environments
from scripts.drivers.interfaces import Node
from tests.conftest import Bench
from tests.integration.test_deploy import Place, service

pytestmark = pytest.mark.integration
SLEEPS = service("exec sleep infinity")
# Applications of packages of the distribution's, and the units that a user's machine has running then.
ORDINARY: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nginx": ({"packages": ["nginx-light", "nginx-common"]}, ("nginx.service",)),
    "apache": ({"packages": ["apache2"], "to": [1]}, ("apache2.service",)),
    "cache": ({"packages": ["redis"]}, ("redis-server.service",)),
    "memcached": ({"packages": ["memcached"]}, ("memcached.service",)),
    "cron": ({"packages": ["cron"]}, ("cron.service",)),
    "ssh": ({"packages": ["openssh-server"]}, ("ssh.service",)),
    "haproxy": ({"packages": ["haproxy"], "to": [1]}, ("haproxy.service",)),
    "database": ({"packages": ["postgresql"]}, ("postgresql@15-main.service", "postgresql.service")),
    "rpc": ({"packages": ["rpcbind"]}, ("rpcbind.socket", "rpcbind.service")),
    "uuids": ({"packages": ["uuid-runtime"]}, ("uuidd.socket",)),
    "files": ({"packages": ["plocate"]}, ("plocate-updatedb.timer",)),
    "rsync": ({"packages": ["rsync"]}, ()),
    "jobs": ({"packages": ["at"], "to": [1]}, ("atd.service",)),
    "library": ({"packages": ["libjansson4"]}, ()),
}
# Exercises of the lab's own: from this machine, on a node, on the node of an application.
OWN = {
    "web": ({"result": "tap"}, """#!/usr/bin/env python3
import os, urllib.request
print("1..2")
for number, name in enumerate(("NGINX", "APACHE"), start=1):
    page = urllib.request.urlopen(f"http://{os.environ['QALAB_ADDRESS_' + name]}/", timeout=30).read()
    print("ok" if b"<html" in page.lower() else "not ok", number, "-", name)
"""),
    "database": ({"where": "database"}, "#!/bin/sh\nexec su postgres -c 'psql -tAc \"select 6*7\"'\n"),
    "second": ({"where": "node1", "result": "junit"}, """#!/bin/sh
touch /root/kept
echo "<testsuite name='s'><testcase classname='host' name='$(hostname)'/></testsuite>" > "$QALAB_RESULT"
echo "no such thing" >&2
exit 3
"""),
}  # fmt: skip


@pytest.fixture
def place(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], shared_cache: Path) -> Iterator[Place]:
    made = Place(lab_factory(track={"phases": ["build", "deploy", "exercise"]}), bench)
    yield made
    for name in environments.names(made.lab):
        environments.target(made.lab, name).destroy()
    assert made.left == []


def described(place: Place, applications: dict[str, dict[str, Any]], exercises: Sequence[dict[str, Any]] = ()) -> None:
    units = {name: {"role": "package"} | unit for name, unit in applications.items()}
    deployment = {"applications": units, "exercises": exercises}
    data = place.lab.model_dump(mode="json", exclude_unset=True) | {"deployment": deployment}
    where = {"file": place.lab.file, "home": place.lab.file.parent}
    place.lab = place.lab.model_validate(data, strict=False, context=where)


def node_of(place: Place, name: str = "node0") -> Node:
    return next(node for node in environments.target(place.lab, "trunk").nodes() if node.name == name)


def states(node: Node, *units: str) -> list[str]:
    return node.run(["systemctl", "is-active", *units], capture=True, check=False).stdout.split()


def deployed(place: Place, applications: dict[str, dict[str, Any]], **package: Any) -> Record:
    described(place, applications)
    return place.deploy(**package)[1]


def test_services_enabled_by_packaging_run(place: Place) -> None:
    record = deployed(place, {name: unit for name, (unit, _) in ORDINARY.items()}, files=SLEEPS)
    assert record.verdict == "passed", record.message
    assert record.facts["services"] == {name: list(units) for name, (_, units) in ORDINARY.items()} | {
        "greet": ["greet.service"]
    }
    assert record.message.endswith("; nothing runs of rsync: rsync.service: it is disabled")
    assert states(node_of(place), "nginx", "redis", "postgresql@15-main", "uuidd.socket") == ["active"] * 4
    _, record = place.exercise()
    assert record.verdict == "passed", record.message
    for name, (_, program) in OWN.items():
        path = place.lab.file.parent / name
        path.write_text(program)
        path.chmod(0o755)
    exercises = [{"name": name, "run": name} | settings for name, (settings, _) in OWN.items()]
    described(place, {name: unit for name, (unit, _) in ORDINARY.items()}, exercises)
    _, record = place.exercise()
    assert (record.verdict, record.facts["exercises"]["web"], record.facts["exercises"]["database"]) == (
        "unstable", {"passed": 3}, {"passed": 1})  # fmt: skip
    assert record.facts["exercises"]["second"] == {"passed": 1, "failed": 1}
    assert record.message.endswith("; second: exit code: it ended with status 3: no such thing")
    second = node_of(place, "node1")
    assert second.run(["sh", "-c", "ls -d /root/kept /run/qalab-exercise/*"], capture=True, check=False).stdout == (
        "/root/kept\n"
    )


def test_service_of_dependency_is_started(place: Place) -> None:
    record = deployed(place, {"greet": {}}, files=SLEEPS, control="Depends: redis-server\n")
    assert record.verdict == "passed", record.message
    assert record.facts["services"] == {"greet": ["redis-server.service", "greet.service"]}


def test_service_failure_names_unit(place: Place) -> None:
    web = {name: {"packages": [name]} for name in ("nginx-light", "lighttpd")}  # both want port 80
    record = deployed(place, web, files=SLEEPS)
    assert record.verdict == "failed"
    assert ".service " in record.message
    assert "on node0" in record.message
