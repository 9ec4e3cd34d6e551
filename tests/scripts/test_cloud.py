"""A cloud's client against a server that answers as it is told."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.errors import Failed
from scripts import cloud
from scripts.cloud import Cloud, Refused
from scripts.roles.__main__ import answer


@dataclass
class Server:
    """Answers by method and path: a status and JSON, in turn, the last one for ever; None: the connection is cut."""

    answers: dict[str, list[tuple[int, Any] | None]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    told = Server()
    monkeypatch.setattr(cloud.time, "sleep", lambda _: None)

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = f"{self.command} {self.path.partition('?')[0]}"
            told.asked.append((f"{self.command} {self.path}", json.loads(body) if body else None))
            queue = told.answers[name]
            reply = queue.pop(0) if len(queue) > 1 else queue[0]
            if reply is None:
                self.connection.close()
                return
            self.send_response(reply[0])
            self.send_header("X-Subject-Token", "a token")
            self.end_headers()
            self.wfile.write(reply[1].encode() if isinstance(reply[1], str) else json.dumps(reply[1]).encode())

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - their names there

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        told.url = f"http://127.0.0.1:{httpd.server_port}"
        yield told
        httpd.shutdown()
        thread.join()


ME = {"token": {"user": {"domain": {"id": "d"}}, "catalog": [
    {"type": "image", "endpoints": [{"interface": "admin", "url": "x"}, {"interface": "public", "url": "http://i/"}]},
]}}  # fmt: skip


@pytest.fixture
def admin(server: Server) -> Cloud:
    server.answers["POST /v3/auth/tokens"] = [(201, ME)]
    made = Cloud.of({"auth_url": f"{server.url}/v3", "user": "admin", "password": "p"})
    made.authenticate()
    return made


def test_the_catalog(admin: Cloud) -> None:
    assert (admin.token, admin.url("image")) == ("a token", "http://i")
    with pytest.raises(Failed, match="the catalog has no service of the type volume"):
        admin.url("volume")


@pytest.mark.parametrize(
    ("status", "said", "message"),
    [
        (401, {"error": {"message": "wrong password"}}, "401: wrong password"),
        (500, "<html>  oops\n</html>", "500: <html> oops </html>"),
        (409, ["odd"], r'409: \["odd"\]'),
    ],
)
def test_complaints(server: Server, admin: Cloud, status: int, said: Any, message: str) -> None:
    server.answers["GET /x"] = [(status, said)]
    with pytest.raises(Refused, match=f"^GET {server.url}/x: {message}$"):
        admin.get(f"{server.url}/x")


def test_what_is_idempotent_is_asked_again_and_nothing_else(server: Server, admin: Cloud) -> None:
    server.answers = {"GET /x": [None, (200, {})], "POST /x": [None, (200, {})], "PUT /x": [None]}
    assert admin.get(f"{server.url}/x") == {}
    for method in ("POST", "PUT"):
        with pytest.raises(Failed, match=f"{method} {server.url}/x: no answer: "):
            admin.ask(method, f"{server.url}/x")
    assert [asked for asked, _ in server.asked].count("POST /x") == 1
    assert [asked for asked, _ in server.asked].count("PUT /x") == cloud.TRIES


def test_a_service_is_entered_once(server: Server, admin: Cloud) -> None:
    kinds = ("project", "user", "role", "service", "endpoint")
    for kind in kinds:
        there = [] if kind != "role" else [{"id": "r"}]
        server.answers[f"GET /v3/{kind}s"] = [(200, {f"{kind}s": there})]
        server.answers[f"POST /v3/{kind}s"] = [(201, {kind: {"id": kind[0]}})]
    server.answers["PUT /v3/projects/p/users/u/roles/r"] = [(204, "")]
    admin.enter("glance", "image", "http://i:9292", "secret", "RegionOne")
    made = [asked.removeprefix("POST /v3/") for asked, _ in server.asked if asked.startswith("POST")][1:]
    assert made == ["projects", "users", "services", "endpoints", "endpoints", "endpoints"]
    endpoint = server.asked[-1][1]["endpoint"]
    assert endpoint == {"url": "http://i:9292", "service_id": "s", "interface": "admin", "region_id": "RegionOne"}


def test_waiting_for_an_answer(server: Server) -> None:
    server.answers = {"GET /v3": [None, (503, ""), (401, "")], "GET /down": [(503, "")]}
    assert answer(f"{server.url}/v3", 5) == ""
    assert answer(f"{server.url}/down", 0) == "status 503"
