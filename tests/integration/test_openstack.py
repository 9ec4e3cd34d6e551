"""A real OpenStack from the distribution's packages: deployed, exercised, broken on purpose, gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.description import Lab
from lab.store import Store
from scripts import deploy, environments, exercise, reset
from scripts.exercises import cases
from scripts.targets import leftovers
from tests.conftest import Bench

pytestmark = pytest.mark.integration
ROLES = ("mariadb", "memcached", "keystone", "glance")
DEPLOYMENT = {
    "applications": {role: {"role": role} for role in ROLES},
    "relations": [["keystone", "mariadb"], ["keystone", "memcached"], ["glance", "keystone"]],
    "exercises": ["token", "image-bundle"],
}


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], shared_cache: Path) -> Iterator[Lab]:
    made = lab_factory(
        name="keystone", track={"phases": ["build", "deploy", "exercise"]}, lab={"deployment": DEPLOYMENT}
    )
    yield made
    environments.target(made, "trunk").destroy()
    assert leftovers.of(Store.of(made).environments) == []


def phase(lab: Lab, name: str) -> Bench:
    return Bench(lab, Store.of(lab).new_run(lab, "trunk", "keystone", phase=name))  # type: ignore[arg-type]


def test_keystone_and_glance(lab: Lab) -> None:
    at = phase(lab, "deploy")
    record = at.execute(deploy)
    assert record.verdict == "passed", record.message
    assert record.facts["services"]["keystone"] == ["keystone.service"]
    assert (at.run.results / "nodes/node0/keystone/keystone.log").exists()

    at = phase(lab, "exercise")
    record = at.execute(exercise)
    assert record.verdict == "passed", record.message
    found = cases.read(at.run.path / record.native[0].path)
    assert {case.suite for case in found} == {"installed", "token", "image-bundle"}
    assert all(case.output for case in found if "is uploaded" in case.name or "token is issued" in case.name)

    # Once more, without harm; and with the database away.
    assert phase(lab, "exercise").execute(exercise).verdict == "passed"
    (node,) = environments.target(lab, "trunk").nodes()
    node.run(["systemctl", "stop", "mariadb.service"])
    record = phase(lab, "exercise").execute(exercise)
    assert record.verdict == "unstable"
    assert "installed: mariadb: mariadb.service runs on node0: it is inactive" in record.message
    assert at.execute(reset).message == "pristine again"
