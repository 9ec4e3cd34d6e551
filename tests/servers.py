"""HTTP servers on loopback."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

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

            do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - as http.server calls them

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
