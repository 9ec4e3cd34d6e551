"""The only way out of a testbed: an HTTP proxy for apt, which reaches the mirrors of a series and the lab's archive.

It listens in the network namespace of the testbed and connects from that of this machine.  Nothing else of this
machine or of the Internet can be reached through it: tests run code of upstream.
"""

from __future__ import annotations

import ctypes
import http.server
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests

from scripts.archives import tunnel

CLONE_NEWNET: Final = 0x40000000
ARCHIVE_HOST: Final = "lab-archive"
PASSED_ON: Final = ("Accept", "Authorization", "Cache-Control", "If-Modified-Since", "If-Range", "Range", "User-Agent")
RETURNED: Final = ("Accept-Ranges", "Content-Length", "Content-Range", "Content-Type", "ETag", "Last-Modified")
PATIENCE_SECONDS: Final = 120.0
BLOCK: Final = 2**16


def listening(pid: int, address: str) -> socket.socket:
    """Return a socket that listens on a free port in the network namespace of a process."""
    found: list[socket.socket] = []
    trouble: list[OSError] = []

    def listen() -> None:  # a thread of its own: setns(2) is about one thread
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                if libc.setns(namespace, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                found.append(socket.create_server((address, 0)))
            finally:
                os.close(namespace)
        except OSError as error:
            trouble.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return found[0]


class MirrorProxy(http.server.ThreadingHTTPServer):
    """A proxy for some hosts; ``places``: the real place of a host name, such as that of the lab's archive."""

    daemon_threads = True

    def __init__(self, sock: socket.socket, hosts: frozenset[str], places: Mapping[str, str], upstream: str) -> None:
        self.hosts, self.places = hosts, places
        self.proxies = {"http": upstream, "https": upstream} if upstream else None
        super().__init__(sock.getsockname(), _ProxyHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.server_name, self.server_port = sock.getsockname()

    def handle_error(self, *_: object) -> None:
        """Ignore errors: a client that was killed is no news."""

    def place(self, netloc: str) -> str | None:
        """Return the real place of a request's host, None for a host that must not be reached."""
        host = netloc.rpartition("@")[2]
        return self.places.get(host) or (host if host in self.hosts or host.partition(":")[0] in self.hosts else None)


class _ProxyHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MirrorProxy

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        place = self.server.place(url.netloc)
        if url.scheme != "http" or place is None:
            self.send_error(HTTPStatus.FORBIDDEN, f"{url.netloc}: tests reach the mirrors of the series alone")
            return
        own = url.netloc in self.server.places
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        try:
            answer = requests.request(
                self.command, urlunsplit(url._replace(netloc=place)), headers={"Accept-Encoding": "identity", **headers},
                stream=True, timeout=PATIENCE_SECONDS, proxies={"http": ""} if own else self.server.proxies,
            )  # fmt: skip
        except requests.RequestException as error:
            self.send_error(HTTPStatus.BAD_GATEWAY, type(error).__name__)
            return
        with answer:
            self._pass_back(answer)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _pass_back(self, answer: requests.Response) -> None:
        self.send_response(answer.status_code)
        for name in RETURNED:
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        without_body = self.command == "HEAD" or answer.status_code == HTTPStatus.NOT_MODIFIED
        if "Content-Length" not in answer.headers and not without_body:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if not without_body:
            for block in answer.raw.stream(BLOCK, decode_content=False):
                self.wfile.write(block)

    def do_CONNECT(self) -> None:
        """Open a tunnel to a mirror behind https."""
        host = self.path.rpartition(":")[0]
        if self.server.place(host) is None:
            self.send_error(HTTPStatus.FORBIDDEN, f"{host}: tests reach the mirrors of the series alone")
            return
        tunnel.opened(self, PATIENCE_SECONDS)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@contextmanager
def serving(pid: int, address: str, **of: Any) -> Iterator[str]:
    """Serve in the network namespace of a process; yield the URL of the proxy there."""
    with MirrorProxy(listening(pid, address), **of) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
