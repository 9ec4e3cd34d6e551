"""HTTP/1.1 on the loopback: connections that stay open, answers in one write, and failures of the network's kind."""

from __future__ import annotations

import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Literal

Delivery = Literal["send", "reset", "silence"]


@dataclass(frozen=True)
class Request:
    """What came in; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass
class Answer:
    """What goes out, and how: sent, ``reset`` (the connection is torn), or never (``silence``)."""

    status: int
    body: bytes = b""
    type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delivery: Delivery = "send"
    delay: float = 0.0

    def encoded(self, *, with_body: bool = True) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", "X-Content-Type-Options: nosniff"]
        lines += [f"Content-Type: {self.type}"] if self.type else []
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        head = "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""])
        return head.encode("latin-1", "replace") + (self.body if with_body else b"")


class Server:
    """Listens from its making on; ``close`` ends it, whatever its connections are at."""

    def __init__(self, answer: Callable[[Request], Answer], certificate: Path | None = None) -> None:
        """``certificate``: a PEM file with the key and the chain; with it the server speaks TLS."""
        self._answer = answer
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = _Listener(("127.0.0.1", 0), self._serve)
        self.port = self._listener.server_address[1]
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.002,))
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown()
        self._thread.join()
        for connection in tuple(self._open):
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self._listener.server_close()  # waits for the threads

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError, ValueError):  # the peer is gone, or speaks no HTTP: either is its own business
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._open.add(connection)
            try:
                with connection, connection.makefile("rb") as stream:
                    self._talk(connection, stream)
            finally:
                self._open.discard(connection)

    def _talk(self, connection: socket.socket, stream: IO[bytes]) -> None:
        while not self._closing.is_set() and (request := read(stream)) is not None:
            answer = self._answer(request)
            if answer.delay:
                self._closing.wait(answer.delay)
            match answer.delivery:
                case "reset":  # SO_LINGER of no time: closing sends RST, see socket(7)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                case "silence":
                    connection.recv(1)  # until the client gives up, or we close
                    return
            connection.sendall(answer.encoded(with_body=request.method != "HEAD"))
            if request.headers.get("connection", "").lower() == "close":
                return


class _Listener(socketserver.ThreadingTCPServer):
    """Hands each connection to a function, in a thread of its own."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], serve: Callable[[socket.socket], None]) -> None:
        super().__init__(address, lambda connection, *_: serve(connection))  # type: ignore[arg-type]

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        request.close()  # alone: a shutdown before it would end the connection in order, not reset it


def read(stream: IO[bytes]) -> Request | None:
    """The next request of a connection, None at its end.  Raises ValueError for what is no HTTP/1.1."""
    line = stream.readline(65536)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split()
    headers = {}
    while (line := stream.readline(65536)).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Request(method, target, headers, b"".join(iter(lambda: _chunk(stream), b"")))
    return Request(method, target, headers, stream.read(int(headers.get("content-length", "0"))))


def _chunk(stream: IO[bytes]) -> bytes:
    data = stream.read(int(stream.readline().split(b";")[0], 16))
    stream.readline()
    return data
