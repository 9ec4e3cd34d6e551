"""Exercises and the roles that they need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from scripts.exercises import choice

CLOUD = ("keystone", "glance", "placement", "nova", "nova-compute", "neutron")
BUNDLE = "applications: {keystone: {charm: keystone, num_units: 1}, glance: {charm: glance, num_units: 1}}\n"


def named(*roles: str) -> dict[str, Any]:
    return {role: {"role": role} for role in roles}


@pytest.mark.parametrize(
    ("target", "applications", "exercise", "needed"),
    [
        pytest.param("nspawn", named("keystone"), "token", "", id="there"),
        pytest.param("nspawn", named("mariadb"), "token", "keystone", id="no keystone"),
        pytest.param("nspawn", {"keystone": {"role": "package"}}, "token", "keystone", id="package of that name"),
        pytest.param("nspawn", named(*CLOUD), "instance", "", id="cloud"),
        pytest.param("nspawn", named(*CLOUD[:-1]), "floating-ip", "neutron", id="cloud without a network"),
        pytest.param("nspawn", named(*CLOUD), "volume", "cinder", id="cloud without volumes"),
        pytest.param("nspawn", {}, "ec2", "keystone", id="no applications"),
        pytest.param("juju", named(*CLOUD[:3], "neutron") | {
            "nova-cloud-controller": {"role": "nova"}, "nova-compute": {"role": "nova", "charm": "nova-compute"},
        }, "instance", "", id="charm called otherwise than its packages"),
        pytest.param("juju", named("mysql"), "token", "keystone", id="charms without keystone"),
        pytest.param("bundle", {}, "image-bundle", "", id="applications of a bundle file"),
        pytest.param("bundle", {}, "instance", "placement", id="bundle file without nova"),
        pytest.param("no bundle", {}, "instance", "", id="bundle file that is none"),
    ],
)  # fmt: skip
def test_exercise_needs_roles(  # noqa: PLR0917 - the columns of the table
    lab_factory: Callable[..., Lab], tmp_path: Path, target: str, applications: Any, exercise: str, needed: str
) -> None:
    deployment: dict[str, Any] = {"applications": applications, "exercises": [exercise], "target": target}
    if "bundle" in target:
        path = tmp_path / "bundle.yaml"
        path.write_text(BUNDLE if target == "bundle" else "[]")
        deployment |= {"target": "juju", "juju": {"bundle": str(path)}}
    lab = lab_factory(lab={"deployment": deployment, "archive": {"url": "http://archive.lab.example/"}})
    fault = f"{exercise}: needs the role {needed}, which no application has"
    assert [*choice.faults(lab, "trunk")] == ([(("deployment", "exercises", 0), fault)] if needed else [])
