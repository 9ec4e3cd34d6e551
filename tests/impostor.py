"""A server in place of a Jenkins whose answers can be anything, also without an end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

from tests.loopback import Loopback

Body = bytes | str | dict[str, Any] | list[Any] | Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Reply:
    """An answer: its body, its headers and its status."""

    body: Body = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200

    def parts(self) -> Iterator[bytes]:
        match self.body:
            case bytes():
                yield self.body
            case str():
                yield self.body.encode()
            case dict() | list():
                yield json.dumps(self.body).encode()
            case produce:
                yield from produce()


class Impostor(Loopback):
    """A server that answers as ``usual`` does; ``odd`` maps patterns of paths to other answers."""

    def __init__(self, usual: Callable[[str], Reply]) -> None:
        self.usual = usual
        self.odd: dict[str, Reply] = {}
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                impostor.asked.append(self.path)
                reply = impostor.reply(unquote(self.path))
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    for part in reply.parts():
                        self.wfile.write(part)
                        self.wfile.flush()
                except OSError:  # the client has had enough
                    self.close_connection = True

            do_POST = do_GET  # noqa: N815 - as http.server calls it

            def log_message(self, *_: object) -> None:
                pass

        return self.serve(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ci/"

    def reply(self, path: str) -> Reply:
        for pattern, reply in self.odd.items():
            if re.search(pattern, path):
                return reply
        return self.usual(path)


def for_ever(part: bytes) -> Callable[[], Iterator[bytes]]:
    """Return a body without an end; it ends when the client closes the connection."""

    def produce() -> Iterator[bytes]:
        while True:
            yield part

    return produce
