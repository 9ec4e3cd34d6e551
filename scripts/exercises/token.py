"""token: keystone issues tokens, validates them, refuses a wrong password, and rejects revoked tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from scripts.exercises.cases import Cases, refused
from scripts.exercises.scene import Scene
from scripts.openstack.cloud import connect

NAME = "token"
NEEDS = ("keystone",)
ISSUED, VALID, CATALOG, WRONG, REVOKED = (
    "a token is issued",
    "it is valid",
    "the catalog names all services",
    "a wrong password is refused",
    "a revoked token is no longer valid",
)
CASES = (ISSUED, VALID, CATALOG, WRONG, REVOKED)
# What each role enters into the catalog.
KINDS = {"keystone": "identity", "glance": "image", "placement": "placement", "nova": "compute", "neutron": "network",
         "cinder": "volumev3"}  # fmt: skip


def exercise(scene: Scene, cases: Cases) -> None:
    settings = scene.role("keystone").settings
    session = connect(settings).session
    tokens = f"{settings['auth_url']}/auth/tokens"

    def ask(token: str) -> Any:
        return session.get(tokens, headers={"X-Subject-Token": token}).json()["token"]

    with cases.case(ISSUED) as case:
        token = str(session.get_token())
        case.output = f"for {settings['user']}, {len(token)} characters"
    with cases.case(VALID) as case:
        issued = ask(token)
        case.output = f"{issued['user']['name']} in {issued['project']['name']} until {issued['expires_at']}"
    with cases.case(CATALOG) as case:
        named = {each["type"] for each in issued["catalog"]}
        case.output = " ".join(sorted(named))
        missing = {KINDS[each.role] for each in scene.deployed.services.values() if each.role in KINDS} - named
        assert not missing, f"it has no {' '.join(sorted(missing))}"  # noqa: S101 - a case is an assertion
    with cases.case(WRONG), refused(HTTPStatus.UNAUTHORIZED):
        connect(settings, password="wrong").session.get_token()  # noqa: S106 - it is
    with cases.case(REVOKED):
        other = str(connect(settings).session.get_token())
        ask(other)
        session.delete(tokens, headers={"X-Subject-Token": other})
        with refused(HTTPStatus.NOT_FOUND):
            ask(other)
