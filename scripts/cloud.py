"""A cloud's REST APIs, by plain requests: what roles and exercises ask for, and its complaints as errors.

It is used where the nodes can be reached (see `Provisioner.beside`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from lab.errors import Failed

# Connections are reset now and then by servers that have just started; what is idempotent is asked again.
TRIES = 3
TIMEOUT_SECONDS = 60
AGAIN = frozenset({"GET", "HEAD", "PUT", "DELETE"})
LONGEST = 200


class Refused(Failed):
    """A server answered, and not as was wanted."""

    def __init__(self, method: str, url: str, status: int, said: str) -> None:
        super().__init__(f"{method} {url}: {status}: {said[:LONGEST]}")
        self.status = status


@dataclass
class Cloud:
    """A cloud as one user sees it in one project."""

    auth_url: str
    user: str
    password: str
    project: str = "admin"
    domain: str = "Default"
    token: str = field(default="", init=False)
    catalog: list[dict[str, Any]] = field(default_factory=list, init=False)
    me: Mapping[str, Any] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, settings: Mapping[str, str], *, password: str = "") -> Cloud:
        """As the administrator that keystone was set up with."""
        return cls(settings["auth_url"], settings["user"], password or settings["password"])

    def authenticate(self) -> Mapping[str, Any]:
        """Have a token issued; what it says."""
        user = {"name": self.user, "domain": {"name": self.domain}, "password": self.password}
        scope = {"project": {"name": self.project, "domain": {"name": self.domain}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        answer = self.ask("POST", f"{self.auth_url}/auth/tokens", json={"auth": auth})
        self.token = answer.headers["X-Subject-Token"]
        self.me = answer.json()["token"]
        self.catalog = self.me.get("catalog", [])
        return self.me

    def url(self, kind: str) -> str:
        """The public endpoint of a kind of service.  Raises Failed when the catalog has none."""
        for service in self.catalog:
            if service["type"] == kind:
                return str(next(each["url"] for each in service["endpoints"] if each["interface"] == "public")).rstrip(
                    "/"
                )
        raise Failed(f"the catalog has no service of the type {kind}")

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """A request with our token.  Raises Refused, and Failed when there is no answer."""
        headers = (
            {"X-Auth-Token": self.token, **options.pop("headers", {})} if self.token else options.pop("headers", {})
        )
        tries = TRIES if method in AGAIN else 1
        for left in reversed(range(tries)):
            try:
                answer = requests.request(method, url, headers=headers, timeout=TIMEOUT_SECONDS, **options)
            except requests.RequestException as error:
                if not left:
                    raise Failed(f"{method} {url}: no answer: {_cause(error)}") from None
                time.sleep(1)
            else:
                break
        if answer.status_code >= requests.codes.bad_request:
            raise Refused(method, url, answer.status_code, _complaint(answer))
        return answer

    def get(self, url: str, **options: Any) -> Any:
        return self.ask("GET", url, **options).json()

    def make(self, at: str, kind: str, **values: Any) -> dict[str, Any]:
        """Make something of a kind; what it is now."""
        made: dict[str, Any] = self.ask("POST", at, json={kind: values}).json()[kind]
        return made

    def find_or_make(self, at: str, kind: str, *, key: tuple[str, ...] = ("name",), **values: Any) -> dict[str, Any]:
        """What there is with the same ``key`` already, else something new."""
        there: list[dict[str, Any]] = self.get(at, params={name: values[name] for name in key})[f"{kind}s"]
        return there[0] if there else self.make(at, kind, **values)

    def enter(self, name: str, kind: str, url: str, password: str, region: str) -> None:
        """Enter a service into the catalog, with a user who may validate tokens and act for others."""
        admin, domain = self.auth_url, self.me["user"]["domain"]["id"]
        project = self.find_or_make(f"{admin}/projects", "project", name="service", domain_id=domain)
        user = self.find_or_make(
            f"{admin}/users", "user", name=name, password=password, domain_id=domain, default_project_id=project["id"]
        )
        for each in ("admin", "service"):
            role = self.find_or_make(f"{admin}/roles", "role", name=each)
            self.ask("PUT", f"{admin}/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
        service = self.find_or_make(f"{admin}/services", "service", name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            values = {"service_id": service["id"], "interface": interface, "region_id": region}
            self.find_or_make(f"{admin}/endpoints", "endpoint", key=("service_id", "interface"), url=url, **values)


def _cause(error: BaseException) -> str:
    """The innermost reason, which says what the outer ones do not."""
    while error.__context__:
        error = error.__context__
    return str(error)


def _complaint(answer: requests.Response) -> str:
    """What the server says is wrong: in JSON as OpenStack writes it, else its first words."""
    try:
        said = answer.json()
        return str(next(each["message"] for each in said.values() if "message" in each))
    except (json.JSONDecodeError, AttributeError, TypeError, StopIteration):
        return " ".join(answer.text.split()) or answer.reason
