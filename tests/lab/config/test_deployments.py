"""The deployments of a lab: the one of a track, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.config import deployments
from lab.config.description import Lab
from lab.config.loading import DescriptionError
from scripts.deployment import environments, planner
from scripts.roles.registry import roles_of

WEB = {"applications": {"web": {"role": "package", "packages": ["nginx"]}}, "exercises": ["token"], "settle_seconds": 9}
MACHINES = {
    "target": "qemu",
    "applications": {"disk": {"role": "package", "packages": ["lvm2"]}},
    "limits": {"disk": 40},
}
TRACK = {"series": "bookworm", "phases": ["deploy"], "trigger": "proposed"}


def tracks(**more: dict[str, Any]) -> dict[str, Any]:
    return {
        "other": {**TRACK, "deployment": "machines"},
        "own": {**TRACK, "deployment": "machines", **more.get("own", {})},
    }


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    own = {"exercises": [], "settle_seconds": 3, "tempest": {"concurrency": 4}}
    return lab_factory(lab={"deployment": WEB, "deployments": {"machines": MACHINES}, "tracks": tracks(own=own)})


def test_track_has_its_deployment(lab: Lab) -> None:
    found = {name: lab.deployment_of(name) for name in lab.tracks}
    assert {name: (each.target, [*each.applications], each.settle_seconds) for name, each in found.items()} == {
        "trunk": ("nspawn", ["web"], 0),  # a track of the tests does not wait
        "other": ("qemu", ["disk"], 30),
        "own": ("qemu", ["disk"], 3),
    }
    assert [found[name].exercises for name in ("trunk", "other", "own")] == [("token",), (), ()]
    assert [found[name].tempest is None for name in ("trunk", "other", "own")] == [True, True, False]


def test_environment_of_track_has_its_target(lab: Lab) -> None:
    drivers = {name: environments.driver_of(lab, name).NAME for name in (*lab.tracks, "removed")}
    assert drivers == {"trunk": "nspawn", "other": "qemu", "own": "qemu", "removed": "nspawn"}
    assert environments.target(lab, "other").settings.limits.disk == 40  # type: ignore[attr-defined]
    assert deployments.targets(lab) == ("nspawn", "qemu")


def test_topology_is_of_the_deployment_of_the_track(lab: Lab) -> None:
    built = {"greet": ["greet"]}
    made = {name: planner.topology(lab, name, "greet", built) for name in lab.tracks}
    assert {name: [each.name for each in topology.applications] for name, topology in made.items()} == {
        "trunk": ["web", "greet"], "other": ["disk", "greet"], "own": ["disk", "greet"],
    }  # fmt: skip
    assert "package" in roles_of(lab.deployment_of("other"))


def test_lab_without_deployment_has_one_for_each_track(lab_factory: Callable[..., Lab]) -> None:
    plain = lab_factory()
    assert (plain.deployment, deployments.targets(plain)) == (None, ())
    assert environments.driver_of(plain, "trunk").NAME == "nspawn"
    assert deployments.of_track(plain, "removed") is plain


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"deployments": {"charms": WEB}}, "deployments.charms: no track has it; set tracks.TRACK.deployment: charms"),
        ({"tracks": {"trunk": {"deployment": "machine"}}}, "tracks.trunk.deployment: no deployment machine; known: machines"),
        ({"deployments": {"machines": {"target": "ssh"}}}, "deployments.machines.ssh: missing; the hosts"),
        ({"deployments": {"machines": {"target": "metal"}}}, "deployments.machines.limits.disk: the target metal has no such"),
        ({"deployments": {"machines": {"relations": [["disk", "web"]]}}},
         "deployments.machines.relations.web: no application web; known: disk"),
        ({"deployments": {"machines": {"target": "juju", "limits": {"disk": None}}}, "archive": {"url": "http://a.example/"}},
         "tracks.other.trigger: charms take no packages of a -proposed"),
        ({"deployments": {"machines": {"target": "juju", "limits": {"disk": None}}}}, "archive.url: missing; where Juju"),
        ({"deployments": {"machines": {"helth": 1}}}, "deployments.machines.helth: unknown key; known: "),
    ],
)  # fmt: skip
def test_fault_of_a_deployment_names_its_key(
    lab_factory: Callable[..., Lab], change: dict[str, Any], complaint: str
) -> None:
    lab = {"deployment": WEB, "deployments": {"machines": dict(MACHINES)}, "tracks": tracks()}
    for part, values in change.items():
        there = lab.setdefault(part, {})
        for name, value in values.items():
            there[name] = {**there.get(name, {}), **value} if isinstance(value, dict) else value
    with pytest.raises(DescriptionError) as caught:
        lab_factory(lab=lab)
    assert any(f": {complaint}" in line for line in caught.value.complaints), caught.value.complaints
