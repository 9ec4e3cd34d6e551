"""token: keystone issues tokens, knows them again, refuses a wrong password, and forgets what is revoked."""

from __future__ import annotations

import requests

from lab.errors import Failed
from scripts.cloud import Cloud, Refused
from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene

NAME = "token"


def exercise(scene: Scene, cases: Cases) -> None:
    settings = scene.role("keystone").settings
    cloud = Cloud.of(settings)
    with cases.case("a token is issued") as case:
        said = cloud.authenticate()
        case.output = f"{said['user']['name']} in {said['project']['name']} until {said['expires_at']}"
    subject = {"X-Subject-Token": cloud.token}
    with cases.case("it is valid") as case:
        case.output = cloud.get(f"{cloud.auth_url}/auth/tokens", headers=subject)["token"]["issued_at"]
    with cases.case("the catalog names all services") as case:
        case.output = " ".join(sorted(service["type"] for service in cloud.catalog))
        for service in ("identity", *(kind for role, kind in KINDS.items() if role in roles(scene))):
            cloud.url(service)
    with cases.case("a wrong password is refused"):
        refused(Cloud.of(settings, password="wrong"), requests.codes.unauthorized)  # noqa: S106 - it is
    other = Cloud.of(settings)
    with cases.case("a revoked token is no longer valid"):
        other.authenticate()
        cloud.ask("DELETE", f"{cloud.auth_url}/auth/tokens", headers={"X-Subject-Token": other.token})
        try:
            cloud.get(f"{cloud.auth_url}/auth/tokens", headers={"X-Subject-Token": other.token})
        except Refused as error:
            if error.status != requests.codes.not_found:
                raise
        else:
            raise Failed("it still is")


# What each role enters into the catalog.
KINDS = {"glance": "image"}


def roles(scene: Scene) -> set[str]:
    return {service.role for service in scene.deployed.services.values()}


def refused(cloud: Cloud, status: int) -> None:
    """Raises Failed when a token is issued, or refused for another reason."""
    try:
        cloud.authenticate()
    except Refused as error:
        if error.status != status:
            raise
    else:
        raise Failed("it is taken")
