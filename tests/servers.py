"""HTTP servers on loopback: a Gerrit, and the receiver of a webhook."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.loopback import Loopback

Raw = Callable[[BaseHTTPRequestHandler], None]
"""Write to a connection what no healthy server would."""
Answer = tuple[int, str] | tuple[int, str, dict[str, str]] | Raw


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Service(Loopback):
    """A server that records all requests and answers with ``answer``; None closes the connection without an answer."""

    answer: Callable[[Request], Answer | None]
    requests: list[Request] = field(default_factory=list)
    certificate: Path | None = None

    def __enter__(self) -> Self:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                service.requests.append(request)
                answer = service.answer(request)
                if answer is None:
                    self.close_connection = True
                    return
                if callable(answer):
                    self.close_connection = True
                    with suppress(OSError):  # the client has had enough
                        answer(self)
                    return
                data = answer[1].encode()
                self.send_response(answer[0])
                for name, value in (answer[2] if len(answer) > 2 else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_PUT = do_GET  # noqa: N815 - as http.server calls them

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        return self.serve(server)

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"


@dataclass
class Change:
    """A change under review: its commit, its comments and its votes."""

    number: int
    commit: str
    current: str = ""
    """The commit of the newest patch set, where it is another one."""
    status: str = "NEW"
    messages: list[str] = field(default_factory=list)
    votes: list[dict[str, int]] = field(default_factory=list)


@dataclass
class Gerrit:
    """The part of a Gerrit that a reviewer uses; see its REST API documentation."""

    changes: list[Change] = field(default_factory=list)
    trouble: Answer | None = None
    refusals: dict[int, Answer] = field(default_factory=dict)
    """The answers to reviews, by the number of the change."""
    is_strict: bool = True
    """The setting change.strictLabels: without it, Gerrit ignores unknown labels."""
    lose: int = 0

    def __call__(self, request: Request) -> Answer | None:
        if self.trouble:
            return self.trouble
        if request.headers.get("authorization") != f"Basic {base64.b64encode(b'bot:s3cret').decode()}":
            return 401, "Unauthorized"
        url = urlsplit(request.path)
        if request.method == "GET" and url.path == "/a/changes/":
            commit = parse_qs(url.query)["q"][0].removeprefix("commit:")
            return 200, self.shown([self.change_info(one) for one in self.changes if one.commit == commit])
        return self.review(url.path.split("/"), json.loads(request.body))

    def review(self, parts: list[str], review_input: dict[str, Any]) -> Answer | None:
        (change,) = [one for one in self.changes if str(one.number) == parts[3]]
        assert parts[4:] == ["revisions", change.commit, "review"]
        if change.number in self.refusals:
            return self.refusals[change.number]
        if change.status != "NEW" and review_input["labels"]:
            return 409, "Cannot reduce vote on labels for closed change\n"
        assert review_input["notify"] == "OWNER"
        if "Verified" not in review_input["labels"] and review_input["labels"]:
            if self.is_strict:
                return 400, f'label "{next(iter(review_input["labels"]))}" is not a configured label\n'
            review_input["labels"] = {}
        change.messages.append(f"Patch Set 1:\n\n{review_input['message']}")
        change.votes.append(review_input["labels"])
        if self.lose:
            self.lose -= 1
            return None
        return 200, self.shown({"labels": review_input["labels"]})

    def change_info(self, change: Change) -> dict[str, Any]:
        return {
            "_number": change.number,
            "status": change.status,
            "current_revision": change.current or change.commit,
            "messages": [{"message": text} for text in change.messages],
        }

    def shown(self, data: Any) -> str:
        return f")]}}'\n{json.dumps(data)}"


# Answers of hostile servers.


def silence(handler: BaseHTTPRequestHandler) -> None:
    """Answer nothing until the client gives up."""
    handler.connection.recv(1)


def head(handler: BaseHTTPRequestHandler, status: int, size: int) -> None:
    """Send the head of an answer in JSON."""
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(size))
    handler.end_headers()


def half(status: int) -> Raw:
    """Close the connection in the middle of the content."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        head(handler, status, 1000)
        handler.wfile.write(b'{"id": 1, ')

    return send


def stalled(status: int) -> Raw:
    """Send a part of the content, and then nothing until the client gives up."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        head(handler, status, 1000)
        handler.wfile.write(b'{"id": 1, ')
        handler.connection.recv(1)

    return send


def drip(status: int) -> Raw:
    """Send the content byte by byte, without an end."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        head(handler, status, 10**10)
        for _ in range(10**7):
            handler.wfile.write(b" ")

    return send


def endless(status: int) -> Raw:
    """Send more content than anybody wants."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        head(handler, status, 10**10)
        for _ in range(10**4):
            handler.wfile.write(b" " * 10**6)

    return send


LOGIN_PAGE = "<!DOCTYPE html><html><body>Please log in</body></html>"
