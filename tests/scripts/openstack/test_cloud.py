"""The client of a cloud with a scripted server."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import Failed
from scripts.exercises.cases import refused
from scripts.openstack import cloud
from scripts.openstack.cloud import Cloud, CloudRefused, connect, enter, sdk_errors_as_failures
from scripts.roles.__main__ import answer

# The SDK emits warnings about its own calls.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


@dataclass
class Server:
    """Answers by method and path: statuses and JSON in turn, then the last one; None closes the connection."""

    answers: dict[str, list[tuple[int, Any] | None]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    here = Server()
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = f"{self.command} {self.path.partition('?')[0]}"
            here.asked.append((f"{self.command} {self.path}", json.loads(body) if body else None))
            queue = here.answers.get(name, [(404, "")])
            reply = queue.pop(0) if len(queue) > 1 else queue[0]
            if reply is None:
                self.connection.close()
                return
            self.send_response(reply[0])
            self.send_header("X-Subject-Token", "a token")
            if not isinstance(reply[1], str):
                self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(reply[1].encode() if isinstance(reply[1], str) else json.dumps(reply[1]).encode())

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - their names there

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.002,))
        thread.start()
        here.url = f"http://127.0.0.1:{httpd.server_port}"
        yield here
        httpd.shutdown()
        thread.join()


@pytest.fixture
def admin(server: Server) -> Cloud:
    """Return a connection to a keystone without other services."""
    v3 = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{server.url}/v3/"}]}
    endpoints = [{"interface": "public", "region_id": "here", "region": "here", "id": "e", "url": f"{server.url}/v3/"}]
    token = {
        "methods": ["password"],
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "issued_at": "2026-01-01T00:00:00Z",
        "user": {"id": "u", "name": "admin", "domain": {"id": "default", "name": "Default"}},
        "catalog": [{"type": "identity", "id": "k", "name": "keystone", "endpoints": endpoints}],
    }
    server.answers["GET /v3"] = server.answers["GET /v3/"] = [(200, {"version": v3})]
    server.answers["POST /v3/auth/tokens"] = [(201, {"token": token})]
    return connect({"auth_url": f"{server.url}/v3", "user": "admin", "password": "p", "region": "here"})


def test_connect_authenticates_with_password(server: Server, admin: Cloud) -> None:
    assert admin.session.get_token() == "a token"
    (asked,) = [body for asked, body in server.asked if asked == "POST /v3/auth/tokens"]
    assert asked["auth"]["identity"]["password"]["user"]["password"] == "p"
    assert asked["auth"]["scope"]["project"] == {"domain": {"id": "default"}, "name": "admin"}


def test_connect_with_domain_of_administrator(server: Server, admin: Cloud) -> None:
    """Other users are in the default domain."""
    settings = {"auth_url": f"{server.url}/v3", "user": "admin", "password": "p", "region": "here", "domain": "theirs"}
    for user in ("", "somebody"):
        connect(settings, user=user).session.get_token()
    asked = [body["auth"] for asked, body in server.asked if asked == "POST /v3/auth/tokens"]
    domains = [each["identity"]["password"]["user"]["domain"] for each in asked]
    assert domains == [each["scope"]["project"]["domain"] for each in asked] == [{"name": "theirs"}, {"id": "default"}]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (409, {"error": {"message": "it is\nthere"}}, "409: it is there"),
        (500, "<html>  oops\n</html>", "500: Internal Server Error"),
        (404, {"NeutronError": {"message": "no router"}}, "404: no router"),
    ],
)
def test_refusal_message_of_service(server: Server, admin: Cloud, status: int, body: Any, message: str) -> None:
    server.answers["GET /v3/projects"] = server.answers["GET /v3/projects/x"] = [(status, body)]
    with (
        pytest.raises(CloudRefused, match=f"^GET {server.url}/v3/projects: {message}$") as raised,
        sdk_errors_as_failures(),
    ):
        list(admin.identity.projects())
    assert raised.value.status == status


def test_connect_with_wrong_password(server: Server, admin: Cloud) -> None:
    server.answers["POST /v3/auth/tokens"] = [(401, {"error": {"message": "wrong password"}})]
    with (
        pytest.raises(CloudRefused, match=f"^POST {server.url}/v3/auth/tokens: 401: .*password"),
        sdk_errors_as_failures(),
    ):
        admin.session.get_token()
    with refused(401):
        admin.session.get_token()
    with pytest.raises(CloudRefused, match="401"), refused(404):
        admin.session.get_token()
    with pytest.raises(Failed, match="it is taken"), refused(401):
        pass


def test_retry_of_idempotent_requests_only(server: Server, admin: Cloud) -> None:
    server.answers |= {"GET /x": [None, (503, ""), (200, {})], "POST /x": [None, (200, {})], "PUT /x": [None]}
    assert admin.session.get(f"{server.url}/x").status_code == 200
    for method in ("POST", "PUT"):
        with pytest.raises(Failed, match=f"^{method} {server.url}/x: no answer: "), sdk_errors_as_failures():
            admin.session.request(f"{server.url}/x", method)
    assert [asked for asked, _ in server.asked].count("POST /x") == 1
    assert [asked for asked, _ in server.asked].count("PUT /x") == cloud.TRIES


@pytest.mark.integration
def test_authority_of_the_cloud_is_trusted(certificate: Path) -> None:
    """A server with a certificate of the cloud's own authority answers; without the authority, the error says why."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as httpd:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        threading.Thread(target=httpd.serve_forever, args=(0.002,)).start()
        url = f"https://127.0.0.1:{httpd.server_port}/v3"
        settings = {"auth_url": url, "user": "admin", "password": "p", "region": "here"}
        authority = Path(f"{certificate}.crt").read_text()
        assert connect({**settings, "ca": authority}).session.get(url, authenticated=False).status_code == 200
        with pytest.raises(Failed, match="certificate verify failed"), sdk_errors_as_failures():
            connect(settings).session.get(url, authenticated=False)
        httpd.shutdown()


class Silent(http.server.BaseHTTPRequestHandler):
    """Answers 200 to all requests for pages."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_connect_to_unreachable_service() -> None:
    nowhere = connect({"auth_url": "http://127.0.0.1:9/v3", "user": "u", "password": "p", "region": "here"})
    with (
        pytest.raises(Failed, match=r"^\w+ http://127.0.0.1:9/v3\S*: no answer: .*Connection refused$"),
        sdk_errors_as_failures(),
    ):
        nowhere.session.get_token()


def test_sdk_errors_as_failures_passes_other_errors() -> None:
    with pytest.raises(ZeroDivisionError), sdk_errors_as_failures():
        raise ZeroDivisionError


def test_service_is_registered_once(server: Server, admin: Cloud) -> None:
    service = {"name": "glance", "kind": "image", "url": "http://i:9292", "password": "secret"}
    items: dict[str, list[dict[str, str]]] = {"roles": [{"id": "r", "name": "admin"}, {"id": "r", "name": "service"}]}
    for kind in ("project", "user", "role", "service", "endpoint"):
        server.answers[f"GET /v3/{kind}s"] = [(200, {f"{kind}s": items.get(f"{kind}s", [])})]
        server.answers[f"POST /v3/{kind}s"] = [(201, {kind: {"id": kind[0]}})]
    server.answers["PUT /v3/projects/p/users/u/roles/r"] = [(204, "")]
    enter(admin, service, "here")
    made = [asked.removeprefix("POST /v3/") for asked, _ in server.asked if asked.startswith("POST")]
    assert made == ["auth/tokens", "projects", "users", "services", "endpoints", "endpoints", "endpoints"]
    endpoint = server.asked[-1][1]["endpoint"]
    assert endpoint == {"url": "http://i:9292", "service_id": "s", "interface": "admin", "region_id": "here"}


def test_answer_of_service_with_timeout(server: Server) -> None:
    server.answers = {"GET /v3": [None, (503, ""), (401, "")], "GET /down": [(503, "")]}
    assert answer(f"{server.url}/v3", 5) == ""
    assert answer(f"{server.url}/down", 0) == "status 503"
