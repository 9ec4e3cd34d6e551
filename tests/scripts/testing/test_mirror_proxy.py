"""The proxy of a testbed, in the network of the test itself."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from scripts.testing.mirror_proxy import MirrorProxy

CONTENT = b"0123456789"


class Mirror(http.server.BaseHTTPRequestHandler):
    """A mirror with one file, /file; it shows the header Range."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/file" else 404)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", self.headers.get("Range", "none"))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def proxy(mirror: str) -> Iterator[dict[str, str]]:
    listening = socket.create_server(("127.0.0.1", 0))
    places = {"lab-archive": mirror, "deb.mirror.example": mirror}
    with MirrorProxy(listening, hosts=frozenset({"localhost"}), places=places, upstream="") as server:
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield {"http": url, "https": url}
        server.shutdown()


def test_proxy_passes_requests_and_answers_on(proxy: dict[str, str]) -> None:
    answer = requests.get("http://lab-archive/file", proxies=proxy, timeout=10, headers={"Range": "bytes=5-"})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (200, CONTENT, "bytes=5-")
    assert answer.headers["Last-Modified"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert requests.get("http://lab-archive/nothing", proxies=proxy, timeout=10).status_code == 404


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/file", "http://jenkins.example/", "http://lab-archive@127.0.0.1:{port}/file"],
    ids=["loopback", "elsewhere", "with-user"],
)
def test_proxy_refuses_other_hosts(proxy: dict[str, str], mirror: str, url: str) -> None:
    answer = requests.get(url.format(port=mirror.rpartition(":")[2]), proxies=proxy, timeout=10)
    assert answer.status_code == 403


def test_proxy_refuses_tunnels_to_other_hosts(proxy: dict[str, str]) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        requests.get("https://jenkins.example/", proxies=proxy, timeout=10)


def test_proxy_answers_where_a_mirror_does_not(proxy: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert requests.get(f"http://localhost:{port}/file", proxies=proxy, timeout=10).status_code == 502
