"""The proxy that keeps what apt downloads, before a real mirror that can be silent."""

from __future__ import annotations

import http.client
import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
import requests

from lab.base import environment, outages
from scripts.archives import mirror_cache
from scripts.archives.mirror_cache import MirrorCache

DATE = 1_767_225_600
RELEASE = "/debian/dists/bookworm/InRelease"
PACKAGE = "/debian/pool/main/h/hello/hello_1_all.deb"
HASHED = "/debian/dists/bookworm/main/by-hash/SHA256/0123"


class SilentMirror(http.server.ThreadingHTTPServer):
    """A mirror; ``state``: it answers, is broken, or is silent."""

    def __init__(self) -> None:
        self.state, self.content, self.asked = "answers", b"one", list[str]()
        super().__init__(("127.0.0.1", 0), SilentMirrorHandler)

    def handle_error(self, *_: object) -> None:
        pass


class SilentMirrorHandler(http.server.BaseHTTPRequestHandler):
    server: SilentMirror

    def do_GET(self) -> None:
        mirror = self.server
        mirror.asked.append(self.path)
        if mirror.state == "silent":
            return  # closes the connection
        date = formatdate(DATE + len(mirror.content), usegmt=True)
        status = 503 if mirror.state == "broken" else 404 if "absent" in self.path else 200
        if status == 200 and self.headers.get("If-Modified-Since") == date:
            status = 304
        self.send_response(status)
        self.send_header("Last-Modified", date)
        if mirror.state != "tells no length":
            self.send_header("Content-Length", str(len(mirror.content) + 9 * (mirror.state == "cut")))
        self.end_headers()
        if status != 304:
            self.wfile.write(mirror.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def mirror() -> Iterator[SilentMirror]:
    with SilentMirror() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[MirrorCache]:
    outages.forget()
    with MirrorCache() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
    outages.forget()


def get(cache: MirrorCache, mirror: SilentMirror, path: str, **headers: str) -> requests.Response:
    """Ask as apt does, and forget that the mirror was silent before."""
    cache.silent.clear()
    url = f"http://localhost:{mirror.server_port}{path}"
    proxy = f"http://127.0.0.1:{cache.server_port}"
    return requests.get(url, proxies={"http": proxy}, timeout=10, headers=headers)


@pytest.mark.parametrize("state", ["silent", "broken"])
def test_kept_files_are_served_while_the_mirror_is_away(cache: MirrorCache, mirror: SilentMirror, state: str) -> None:
    for path in (RELEASE, PACKAGE):
        assert get(cache, mirror, path).content == b"one"
    place = mirror_cache.kept_in() / f"localhost:{mirror.server_port}{RELEASE}"
    at = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    os.utime(f"{place}.seen", (at.timestamp(), at.timestamp()))
    mirror.state = state
    assert get(cache, mirror, PACKAGE).content == b"one"
    assert outages.told() == ""  # the indices tell from when the data are
    assert get(cache, mirror, RELEASE).content == b"one"
    expected = f"localhost:{mirror.server_port} does not answer: packages as of 2026-02-03 04:05 UTC"
    assert (outages.told(), outages.oldest()) == (expected, at)


def test_what_was_never_fetched_is_named_while_the_mirror_is_away(cache: MirrorCache, mirror: SilentMirror) -> None:
    mirror.state = "silent"
    answer = get(cache, mirror, PACKAGE)
    assert answer.status_code == 504
    assert answer.reason == f"localhost:{mirror.server_port} does not answer, and nothing of this is kept"


def test_a_silent_mirror_is_not_asked_for_each_file(cache: MirrorCache, mirror: SilentMirror) -> None:
    get(cache, mirror, RELEASE)
    mirror.state = "silent"
    get(cache, mirror, RELEASE)
    number = len(mirror.asked)
    proxy = {"http": f"http://127.0.0.1:{cache.server_port}"}
    assert requests.get(f"http://localhost:{mirror.server_port}{RELEASE}", proxies=proxy, timeout=10).ok
    assert len(mirror.asked) == number


def test_the_mirror_is_asked_for_what_is_newer(cache: MirrorCache, mirror: SilentMirror) -> None:
    get(cache, mirror, RELEASE)
    get(cache, mirror, HASHED)
    mirror.content = b"another"
    assert get(cache, mirror, RELEASE).content == b"another"
    assert get(cache, mirror, HASHED).content == b"one"  # its name is that of its content
    assert outages.oldest() is None


def test_apt_gets_no_copy_of_what_it_has(cache: MirrorCache, mirror: SilentMirror) -> None:
    date = get(cache, mirror, RELEASE).headers["Last-Modified"]
    assert get(cache, mirror, RELEASE, **{"If-Modified-Since": date}).status_code == 304
    assert get(cache, mirror, RELEASE, **{"If-Modified-Since": "yesterday"}).content == b"one"


@pytest.mark.parametrize(
    ("state", "path"), [("cut", PACKAGE), ("answers", "/debian/absent"), ("broken", PACKAGE)], ids=["cut", "404", "503"]
)
def test_only_whole_files_are_kept(cache: MirrorCache, mirror: SilentMirror, state: str, path: str) -> None:
    mirror.state = state
    if state == "cut":
        with pytest.raises(requests.RequestException):
            get(cache, mirror, path)
    else:
        assert not get(cache, mirror, path).ok
    mirror.state = "silent"
    assert get(cache, mirror, path).status_code == 504
    assert not [found for found in mirror_cache.kept_in().rglob("*") if found.is_file()]


@pytest.mark.parametrize("path", [HASHED, PACKAGE, RELEASE])
def test_a_file_of_unknown_length_is_passed_on_and_not_kept(
    cache: MirrorCache, mirror: SilentMirror, path: str
) -> None:
    mirror.state = "tells no length"
    assert get(cache, mirror, path).content == b"one"
    mirror.state = "silent"
    assert get(cache, mirror, path).status_code == 504


def test_a_cache_that_cannot_be_written_passes_files_on(cache: MirrorCache, mirror: SilentMirror) -> None:
    environment.cache_home().mkdir(parents=True)
    mirror_cache.kept_in().write_text("a file where the directory would be")
    assert get(cache, mirror, PACKAGE).content == b"one"


@pytest.mark.parametrize("url", ["http://localhost/../../secret", "http://localhost/x?y=1", "ftp://localhost/x", "/x"])
def test_other_urls_are_refused(cache: MirrorCache, url: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", cache.server_port, timeout=10)) as connection:
        connection.request("GET", url)
        assert connection.getresponse().status == 400


def test_what_nobody_asks_for_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "packages"
    (home / "host").mkdir(parents=True)
    (home / "host" / "old.deb").touch()
    mirror_cache.prune(home)
    assert (home / "host" / "old.deb").exists()
    later = environment.now() + mirror_cache.UNUSED + timedelta(days=1)
    monkeypatch.setattr(environment, "now", lambda: later)
    mirror_cache.prune(home)
    assert not (home / "host" / "old.deb").exists()


def test_a_machine_with_a_proxy_uses_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    mirror_cache.url.cache_clear()
    found = (mirror_cache.url(), mirror_cache.variables(), mirror_cache.options(), mirror_cache.setup())
    mirror_cache.url.cache_clear()
    assert found == ("", {}, [], "")
