"""From lab.yaml's deployment to a topology."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, Failed
from lab.config.description import Lab
from lab.store.run_directory import WHOLE
from scripts.chroots.bootstrap import Repository
from scripts.deployment.planner import pristine, topology
from scripts.drivers.topology import Topology

BUILT = {"greet": ["greet", "greet-doc"], "other": ["other"]}


def planned(make: Callable[..., Lab], component: str = "greet", **deployment: Any) -> Topology:
    described = {"deployment": deployment} if deployment else {}
    other = {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}}
    return topology(make(lab={"components": {"other": other}, **described}), "trunk", component, BUILT)


def names(plan: Topology) -> list[str]:
    return [application.name for application in plan.applications]


def test_plan_deploys_component_from_archive_packages(lab_factory: Callable[..., Lab]) -> None:
    plan = planned(lab_factory)
    (greet,) = plan.applications
    assert (greet.name, greet.role.NAME, greet.packages, greet.nodes) == (
        "greet", "package", ("greet", "greet-doc"), ("node0",)
    )  # fmt: skip
    assert isinstance(greet.fault("x"), Failed)


def test_plan_of_whole_track_has_all_components(lab_factory: Callable[..., Lab]) -> None:
    assert names(planned(lab_factory, WHOLE)) == ["greet", "other"]


def test_plan_of_whole_track_leaves_out_what_a_state_does_not_have(lab_factory: Callable[..., Lab]) -> None:
    other = {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}}
    for described in ({}, {"deployment": {"applications": {name: {"role": "package"} for name in ("greet", "other")}}}):
        lab = lab_factory(lab={"components": {"other": other}, **described})
        assert names(topology(lab, "trunk", WHOLE, {"greet": ["greet"]})) == ["greet"]
        with pytest.raises(ConfigurationError, match="the lab's archive has no packages of it"):
            topology(lab, "trunk", WHOLE, {})
        with pytest.raises(ConfigurationError, match="other: the lab's archive has no packages of it"):
            topology(lab, "trunk", "other", {"greet": ["greet"]})


def test_plan_without_built_package_is_refused(lab_factory: Callable[..., Lab]) -> None:
    with pytest.raises(ConfigurationError, match=r"greet: the lab's archive has no packages of it \(build it first"):
        topology(lab_factory(), "trunk", "greet", {})


def test_plan_adds_component_outside_deployment(lab_factory: Callable[..., Lab]) -> None:
    units = {"other": {"role": "package", "packages": ["other"], "to": [1, 2], "options": {"command": "x"}}}
    plan = planned(lab_factory, applications=units)
    assert names(plan) == ["other", "greet"]
    assert plan.nodes == ("node0", "node1", "node2")
    assert [each.name for each in plan.on("node1")] == ["other"]
    assert plan.packages == ("greet", "greet-doc", "other")
    assert names(planned(lab_factory, WHOLE, applications=units)) == ["other"]


def test_plan_orders_applications_by_relations(lab_factory: Callable[..., Lab]) -> None:
    units = {name: {"role": "package", "packages": [name]} for name in ("greet", "bus", "db")}
    plan = planned(lab_factory, applications=units, relations=[["greet", "db:shared"], ["greet", "bus"]])
    assert names(plan).index("greet") == 2


@pytest.mark.parametrize(
    ("units", "relations", "message"),
    [
        ({"greet": "nosuch"}, [], "lab.yaml: deployment.applications.greet.role: no nosuch; known: package"),
        ({"greet": "package", "a": "package"}, [["greet", "a"], ["a", "greet"]], "relations: a circle: "),
    ],
)
def test_plan_refuses_invalid_deployment(
    lab_factory: Callable[..., Lab], units: dict[str, str], relations: list[list[str]], message: str
) -> None:
    applications = {name: {"role": role, "packages": ["x1"]} for name, role in units.items()}
    with pytest.raises(ConfigurationError, match=message):
        planned(lab_factory, applications=applications, relations=relations)


def test_plan_deploys_waiting_proposed_packages(lab_factory: Callable[..., Lab]) -> None:
    other = {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}}
    units = {"other": {"role": "package"}, "bus": {"role": "package", "packages": ["bus"]}}
    for applications, expected in (({}, ["greet"]), (units, ["bus", "greet"])):
        deployment = {"applications": applications, "relations": [["bus", "other"]] if applications else []}
        lab = lab_factory(
            track={"trigger": "proposed", "phases": ["deploy"]},
            lab={"components": {"other": other}, "deployment": deployment},
        )
        plan = topology(lab, "trunk", WHOLE, {"greet": ["greet"]})
        assert sorted(names(plan)) == expected
    pocket = Repository("http://m.example", "bookworm-proposed-updates", only=("greet", "libgreet"))
    assert set(pristine(lab, "trunk", plan, pocket).sources) == {"greet", "libgreet", "other"}


def test_pristine_omits_packages_of_track(lab_factory: Callable[..., Lab]) -> None:
    wanted = pristine(lab_factory(), "trunk", planned(lab_factory), None)
    assert (wanted.packages, wanted.sources) == (("greet", "greet-doc"), ("greet",))
