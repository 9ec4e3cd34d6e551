"""Messages about a redirect, with real answers of a server on loopback."""

from __future__ import annotations

import pytest
import requests

from lab.base import redirects
from tests.servers import Answer, Request, Service

OLD = "/old/job/x/config.xml"


def answers(status: int, location: str | None) -> Service:
    """Run a server that redirects all paths below /old."""

    def answer(request: Request) -> Answer:
        if request.path.startswith("/old"):
            return status, "", {} if location is None else {"Location": location}
        return 200, "{}"

    return Service(answer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("is_followed", [False, True])
def test_redirect_of_post_is_refused(status: int, *, is_followed: bool) -> None:
    with answers(status, "/new/job/x/config.xml") as service:
        answer = requests.post(f"{service.url}{OLD}", b"x", timeout=60, allow_redirects=is_followed)
        base = f"{service.url}/old/"
        assert answer.status_code == (200 if is_followed else status)
        assert redirects.location(answer) == f"{service.url}/new/job/x/config.xml"
        text = (
            f"{base}: redirects POST to {service.url}/new/job/x/config.xml, which is not followed: "
            f"is jenkins.url now {service.url}/new?"
        )
        assert [redirects.refusal(answer, base, "jenkins.url", inside=inside) for inside in (False, True)] == [text] * 2


@pytest.mark.parametrize(
    "location, inside, text",
    [
        ("/old/job/x/", True, ""),
        ("/old/job/x/", False, "is jenkins.url now {url}/old/job/x/?"),
        (OLD, True, "redirects POST to {url}" + OLD),
        ("https://ci.example/old/job/x/config.xml", True, "is jenkins.url now https://ci.example/old?"),
        ("/login?from=x", True, "is jenkins.url now {url}/login?from=x?"),
        ("", True, "answers 302 Found to POST, without a location"),
        (None, True, "answers 302 Found to POST, without a location"),
    ],
)
def test_redirect_to_same_server_is_accepted(location: str | None, text: str, *, inside: bool) -> None:
    with answers(302, location) as service:
        answer = requests.post(f"{service.url}{OLD}", timeout=60, allow_redirects=False)
        found = redirects.refusal(answer, f"{service.url}/old", "jenkins.url", inside=inside)
        assert text.replace("{url}", service.url) in found
        assert bool(found) == bool(text)


@pytest.mark.parametrize("status", [200, 201, 304, 404, 500])
def test_redirect_of_other_status_is_none(status: int) -> None:
    with answers(status, "/new") as service:
        answer = requests.post(f"{service.url}/old", timeout=60)
        assert (redirects.location(answer), redirects.refusal(answer, service.url, "x")) == ("", "")
