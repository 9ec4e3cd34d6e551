"""The order in which applications are set up."""

from __future__ import annotations

import pytest

from scripts.drivers.topology import Application, Topology
from scripts.roles.registry import ROLES

NAMES = {"mariadb": "db", "rabbitmq": "queue", "keystone": "id", "glance": "images", "nova": "servers"}
RELATIONS = (("id", "db:shared"), ("images", "id:identity"), ("servers", "images"))


def planned(*relations: tuple[str, str]) -> Topology:
    made = (Application(name, ROLES[role], (), ("node0",), {}) for role, name in NAMES.items())
    return Topology(tuple(made), relations)


@pytest.mark.parametrize(
    ("name", "relations", "expected"),
    [
        ("db", RELATIONS, []),
        ("id", RELATIONS, ["db", "queue"]),
        ("servers", RELATIONS, ["db", "queue", "id", "images"]),
        ("servers", (), ["db", "queue"]),
        # A supporting application can itself need another one, which then does not wait for it.
        ("id", (*RELATIONS, ("queue", "id")), ["db"]),
        ("queue", (*RELATIONS, ("queue", "id")), ["db", "id"]),
    ],
)
def test_applications_before_another(name: str, relations: tuple[tuple[str, str], ...], expected: list[str]) -> None:
    plan = planned(*relations)
    application = next(each for each in plan.applications if each.name == name)
    assert [each.name for each in plan.before(application)] == expected
