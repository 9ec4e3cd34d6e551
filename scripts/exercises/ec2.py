"""ec2: credentials in the style of EC2: a signed request gives a token, with which a server is started and listed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from lab.base import environment
from lab.store.records import rfc3339
from scripts.exercises.cases import Cases, refused
from scripts.exercises.scene import Scene
from scripts.exercises.servers import CLEANED, EMPTIED, GONE, ROLES, project
from scripts.openstack.cloud import Cloud, connect

NAME = "ec2"
NEEDS = ("keystone", *ROLES)
SIGNED, REFUSED, STARTED, LISTED, TERMINATED = (
    "a signed request gives a token",
    "a wrong secret is refused",
    "with it a server is started",
    "with it servers are listed",
    "with it the server is terminated",
)
CASES = (EMPTIED, SIGNED, REFUSED, STARTED, LISTED, TERMINATED, CLEANED)
TOKEN = "X-Subject-Token"  # noqa: S105 - the name of a header


def signed(access: str, secret: str, when: str) -> dict[str, Any]:
    """Return a signed request of an EC2 client, in the form that keystone takes: see OS-EC2 in its API."""
    params = {
        "Action": "DescribeInstances",
        "AWSAccessKeyId": access,
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": when,
    }
    of: dict[str, Any] = {"verb": "GET", "host": "ec2.example", "path": "/services/Cloud", "params": params}
    return {"access": access, "signature": signature(secret, **of), **of}


def signature(secret: str, verb: str, host: str, path: str, params: Mapping[str, str]) -> str:
    """Return the signature of a request, in Amazon's version 2."""
    query = "&".join(f"{name}={quote(params[name], safe='-_.~')}" for name in sorted(params))
    text = f"{verb}\n{host}\n{path}\n{query}"
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)).decode()


def exchanged(cloud: Cloud, settings: Mapping[str, str], access: str, secret: str) -> Any:
    """Return keystone's answer to a signed request; the caller must be a service or an administrator."""
    request = signed(access, secret, rfc3339(environment.now()))
    return cloud.session.post(f"{settings['auth_url']}/ec2tokens", json={"credentials": request})


def exercise(scene: Scene, cases: Cases) -> None:
    given, settings = scene.given, scene.role("keystone").settings
    admin = connect(settings)
    with project(scene, cases, *ROLES) as at:
        with cases.case(SIGNED) as case:
            answer = exchanged(admin, settings, given.access, given.secret)
            issued = answer.json()["token"]
            case.output = f"{issued['user']['name']} in {issued['project']['name']} until {issued['expires_at']}"
            assert issued["user"]["name"] == given.user, f"it is {issued['user']['name']}'s"  # noqa: S101 - a case is an assertion
        with cases.case(REFUSED), refused(HTTPStatus.UNAUTHORIZED):
            exchanged(admin, settings, given.access, given.secret[::-1])
        # None of the SDK's own tokens: these requests have the one that was signed for.
        session, compute = at.cloud.session, at.cloud.compute.get_endpoint()
        header = {"headers": {"X-Auth-Token": answer.headers[TOKEN]}, "authenticated": False}
        with cases.case(STARTED) as case:
            body = {
                "name": NAME,
                "imageRef": given.image,
                "flavorRef": given.flavor,
                "networks": [{"uuid": given.network}],
            }
            server = session.post(f"{compute}/servers", json={"server": body}, **header).json()["server"]["id"]
            case.output = server
        with cases.case(LISTED) as case:

            def state() -> str:
                listed = session.get(f"{compute}/servers/detail", **header).json()["servers"]
                return next((str(each["status"]) for each in listed if each["id"] == server), GONE)

            at.wait("the server", state, "ACTIVE")
            case.output = f"{server} {state()}"
        with cases.case(TERMINATED):
            session.delete(f"{compute}/servers/{server}", **header)
            at.wait("the server", state, GONE)
