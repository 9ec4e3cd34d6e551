"""Which machines have what is tested: those of units, of subordinates' principals, and containers."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from lab.config.loading import DescriptionError
from scripts.deployment import planner
from scripts.deployment.charm_deployer import pinned, placed
from scripts.drivers.juju.status import Status
from scripts.drivers.topology import Application, Charm, CharmRole, Topology
from scripts.roles.registry import ROLES
from tests.jujustatus import document

AGENT = "neutron-openvswitch"


def application(name: str, *nodes: str, tested: bool = False) -> Application:
    role = CharmRole(name, SUPPORTING=not tested)
    return Application(name, role, (), nodes, {}, Charm(name, origin="source" if tested else None))


@pytest.mark.parametrize(
    "principals, relations, expected",
    [
        pytest.param(
            [application("nova-compute", "node0", "node1")], [(f"{AGENT}:neutron-plugin", "nova-compute:neutron-plugin")],
            {"node0", "node1"}, id="all units of a principal",
        ),
        pytest.param(
            [application("nova-compute", "node0"), application("octavia", "node2"), application("mysql", "node3")],
            [(AGENT, "nova-compute"), ("octavia:neutron", f"{AGENT}:neutron")], {"node0", "node2"}, id="two principals",
        ),
        pytest.param(
            [application("nova-compute", "node0"), application("keystone", "node1", tested=True)],
            [(AGENT, "nova-compute")], {"node0", "node1"}, id="beside another one that is tested",
        ),
        pytest.param([application("nova-compute", "node0")], [], set(), id="no principal"),
    ],
)  # fmt: skip
def test_nodes_of_a_tested_subordinate_have_the_pin(
    principals: list[Application], relations: list[tuple[str, str]], expected: set[str]
) -> None:
    topology = Topology((*principals, application(AGENT, tested=True)), tuple(relations))
    assert pinned(topology) == expected


@pytest.mark.parametrize(
    "lines, names, expected",
    [
        pytest.param(
            ["app nova-compute active", "unit nova-compute/0 active idle @0", f"  unit {AGENT}/0 active idle",
             "unit nova-compute/1 active idle @1", f"  unit {AGENT}/1 active idle"],
            {"0": "node0", "1": "node1"}, ("node0", "node1"), id="machines",
        ),
        pytest.param(
            ["app octavia active", "unit octavia/0 active idle @0/lxd/3", f"  unit {AGENT}/0 active idle"],
            {}, ("node0-lxd-3",), id="container",
        ),
        pytest.param(
            ["app octavia active", "app nova-compute active", "unit octavia/0 active idle @2",
             f"  unit {AGENT}/1 active idle", "unit nova-compute/0 active idle @2", f"  unit {AGENT}/0 active idle"],
            {"2": "node2"}, ("node2",), id="two principals on a machine",
        ),
        pytest.param(["app nova-compute active", "unit nova-compute/0 active idle @0"], {"0": "node0"}, (), id="none yet"),
    ],
)  # fmt: skip
def test_subordinate_is_where_its_units_are(lines: list[str], names: dict[str, str], expected: tuple[str, ...]) -> None:
    status = Status.model_validate(document((*lines, f"app {AGENT} active")))
    (found,) = placed(Topology((application(AGENT, tested=True),)), status, names).applications
    assert found.nodes == expected


PACKAGES_ONLY = "only for packages: a charm's own status says whether it is well"
SUBORDINATE = {"role": AGENT, "to": [], "origin": "source"}
COMPUTE = {"role": "nova-compute"}
ARCHIVE = {"url": "https://archive.lab.example/yoga"}


@pytest.mark.parametrize(
    "deployment, fault",
    [
        ({"applications": {AGENT: SUBORDINATE, "nova-compute": COMPUTE}}, True),
        (
            {
                "applications": {AGENT: SUBORDINATE, "nova-compute": COMPUTE},
                "relations": [[f"{AGENT}:a", "nova-compute:a"]],
            },
            False,
        ),
        ({"applications": {AGENT: SUBORDINATE | {"origin": None}, "nova-compute": COMPUTE}}, False),
        ({"applications": {AGENT: SUBORDINATE | {"to": [1]}, "nova-compute": COMPUTE}}, False),
    ],
)
def test_check_finds_what_is_tested_and_has_no_unit(
    lab_factory: Callable[..., Lab], deployment: dict[str, Any], *, fault: bool
) -> None:
    lab = lab_factory(name="neutron", lab={"archive": ARCHIVE, "deployment": {"target": "juju", **deployment}})
    found = [key for key, why in planner.faults(lab, ROLES) if "no node, and no relation" in why]
    assert found == ([("deployment", "applications", AGENT, "to")] if fault else [])


@pytest.mark.parametrize(
    "options, wrong",
    [
        ({"region": "Two", "debug": True}, {}),
        ({"command": "true", "prints": "", "accept_errors": "no such host"}, {}),
        ({"command": "sh -c '"}, {"command": "not a command: No closing quotation"}),
        ({"prints": "("}, {"prints": "not a regular expression: missing ), unterminated subpattern at position 0"}),
        (
            {"accept_errors": "["},
            {"accept_errors": "not a regular expression: unterminated character set at position 0"},
        ),
        ({"health": "true"}, {"health": PACKAGES_ONLY}),
        ({"patience": 5, "starts_nothing": True}, {"patience": PACKAGES_ONLY, "starts_nothing": PACKAGES_ONLY}),
    ],
)
def test_check_tells_options_of_exercises_from_those_of_charms(
    lab_factory: Callable[..., Lab], options: dict[str, Any], wrong: dict[str, str]
) -> None:
    applications = {"keystone": {"role": "keystone", "origin": "source", "options": options}}
    deployment = {"target": "juju", "applications": applications}
    lab = lab_factory(name="keystone", lab={"archive": ARCHIVE, "deployment": deployment})
    found = {key[-1]: why for key, why in planner.faults(lab, ROLES) if key[-2:-1] == ("options",)}
    assert found == wrong


@pytest.mark.parametrize(
    "change, key, why",
    [
        ({"applications": {"key.stone": COMPUTE}}, ("applications", "key.stone"), "not a name of Juju's"),
        ({"applications": {"keystone-2": COMPUTE}}, ("applications", "keystone-2"), "not a name of Juju's"),
        ({"applications": {"2keystone": COMPUTE}}, ("applications", "2keystone"), "not a name of Juju's"),
        ({"applications": {"a": COMPUTE, "b": COMPUTE}, "relations": [["a:", "b:x"]]}, ("relations", 0), "a:: not an end of a relation"),
        ({"applications": {"a": COMPUTE, "b": COMPUTE}, "relations": [["a:b:c", "b"]]}, ("relations", 0), "a:b:c: not an end"),
        ({"applications": {"a": COMPUTE, "b": COMPUTE}, "relations": [["a:x", "b:y"], ["b:y", "a:x"]]},
         ("relations", 1), "b:y and a:x: is there twice"),
        ({"applications": {"a": COMPUTE}, "relations": [["a:x", "a:y"]]}, ("relations", 0), "a:x and a:y: one application at both"),
        ({"applications": {"a": {"role": "a", "origin": "source", "options": {"source": "distro"}}}},
         ("applications", "a", "options", "source"), "takes the lab's archive"),
        ({"applications": {"a": {"role": "a", "origin": "source", "options": {"key": "x"}}}},
         ("applications", "a", "options", "key"), "takes the lab's archive"),
        ({"applications": {"a": {"role": "a", "origin": "openstack-origin", "options": {"openstack-origin": "distro"}}}},
         ("applications", "a", "options", "openstack-origin"), "takes the lab's archive"),
        ({"applications": {"a": COMPUTE}, "juju": {"steps": [{"run": ["./none.sh"]}]}}, ("juju", "steps", 0, "run"), "none.sh: not an exec"),
        ({"applications": {"a": COMPUTE}, "juju": {"steps": [{"run": ["./plain.txt"]}]}}, ("juju", "steps", 0, "run"), "plain.txt: not an"),
        ({"applications": {"a": COMPUTE}, "juju": {"bundle": "b.yaml", "steps": [{"run": ["./none.sh"]}]}},
         ("juju", "steps", 0, "run"), "none.sh: not an exec"),
    ],
)  # fmt: skip
def test_check_finds_what_juju_would_refuse(
    lab_factory: Callable[..., Lab], tmp_path: Path, change: dict[str, Any], key: tuple[object, ...], why: str
) -> None:
    (tmp_path / "b.yaml").write_text("applications: {a: {charm: a, num_units: 1}}\n")
    (tmp_path / "plain.txt").write_text("")
    lab = lab_factory(lab={"archive": ARCHIVE, "deployment": {"target": "juju", **change}})
    found = {of: fault for of, fault in planner.faults(lab, ROLES) if of == ("deployment", *key)}
    assert [why in fault for fault in found.values()] == [True]


@pytest.mark.parametrize(
    "deployment",
    [
        {"applications": {"nova-compute-sr-iov2x": COMPUTE, "a2": COMPUTE}, "relations": [["a2", "nova-compute-sr-iov2x"]]},
        {"applications": {"a": COMPUTE, "b": COMPUTE}, "relations": [["a:cloud-compute", "b:nova_x"], ["a", "b:nova_x"]]},
        {"applications": {"a": COMPUTE}, "juju": {"steps": [{"run": ["/snap/bin/juju"]}, {"run": ["juju"]}]}},
        {"applications": {"a": {"role": "a", "origin": "openstack-origin", "options": {"key": "x"}}}},
    ],
)  # fmt: skip
def test_check_takes_what_juju_would_take(lab_factory: Callable[..., Lab], deployment: dict[str, Any]) -> None:
    lab = lab_factory(lab={"archive": ARCHIVE, "deployment": {"target": "juju", **deployment}})
    assert not [
        key for key, _ in planner.faults(lab, ROLES) if key[1] in {"relations", "juju"} or key[3:] == ("options",)
    ]


@pytest.mark.parametrize(
    "key, value, why",
    [
        ("constraints", "mem:8G", "not a constraint: mem:8G"),
        ("constraints", "mem=8G,cores=4", "not a size: mem=8G,cores=4"),
        ("constraints", "memory=8G", "no constraint memory"),
        ("constraints", "mem=8GG", "not a size: mem=8GG"),
        ("constraints", "cores=four", "not a number: cores=four"),
        ("base", "noble", "not a base: write it as ubuntu@24.04"),
        ("base", "ubuntu 24.04", "not a base"),
        ("config", {"default space": "oam"}, "not a key of a model's"),
        ("config", {"a=b": "c"}, "not a key of a model's"),
        ("constraints", "mem=8G cores=4 virt-type=virtual-machine tags=a,^b root-disk=40960 zones=", ""),
        ("base", "ubuntu@24.04/stable", ""),
    ],
)
def test_settings_that_juju_would_refuse(lab_factory: Callable[..., Lab], key: str, value: object, why: str) -> None:
    deployment = {"target": "juju", "applications": {"a": COMPUTE}, "juju": {key: value}}
    with pytest.raises(DescriptionError, match=re.escape(why)) if why else nullcontext():
        lab_factory(lab={"archive": ARCHIVE, "deployment": deployment})


@pytest.mark.parametrize("bundle", [{}, {"juju": {"bundle": "b.yaml"}}], ids=["applications", "bundle"])
@pytest.mark.parametrize("own, seconds", [(None, 45), (5, 5)])
def test_settle_time_counts_for_charms(
    lab_factory: Callable[..., Lab], tmp_path: Path, bundle: dict[str, Any], own: int | None, seconds: int
) -> None:
    (tmp_path / "b.yaml").write_text("applications: {greet: {charm: greet, num_units: 1}}\n")
    greet = {"role": "greet"} if bundle else {"role": "greet", "origin": "source"}
    deployment = {"target": "juju", "settle_seconds": 45, "applications": {"greet": greet}, **bundle}
    lab = lab_factory(track={"settle_seconds": own}, lab={"archive": ARCHIVE, "deployment": deployment})
    assert planner.topology(lab, "trunk", "greet", {}).settle_seconds == seconds
