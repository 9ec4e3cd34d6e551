"""The proxy that keeps what apt downloads, before a real mirror that can be silent."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
import requests

from lab.base import environment, outages
from scripts.archives import kept_packages, mirror_cache
from scripts.archives.mirror_cache import MirrorCache
from tests.processes import wait_for

DATE = 1_767_225_600
RELEASE = "/debian/dists/bookworm/InRelease"
PACKAGE = "/debian/pool/main/h/hello/hello_1_all.deb"
HASHED = f"/debian/dists/bookworm/main/by-hash/SHA256/{hashlib.sha256(b'one').hexdigest()}"


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
        self.send_response(status)
        self.send_header("Last-Modified", date)
        if mirror.state != "tells no length":
            self.send_header("Content-Length", str(len(mirror.content) + 9 * (mirror.state == "cut")))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(mirror.content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def mirror() -> Iterator[SilentMirror]:
    with SilentMirror() as server:
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[MirrorCache]:
    outages.forget()
    with MirrorCache() as server:
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        yield server
        server.shutdown()
    outages.forget()


def get(cache: MirrorCache, mirror: SilentMirror, path: str, **headers: str) -> requests.Response:
    """Ask as apt does, and forget that the mirror was silent before."""
    cache.silent.clear()
    url = f"http://localhost:{mirror.server_port}{path}"
    proxy = f"http://127.0.0.1:{cache.server_port}"
    return requests.get(url, proxies={"http": proxy}, timeout=10, headers=headers)


def kept_files() -> list[str]:
    """Return the names of kept files, without the notes about them."""
    found = (path for path in kept_packages.home().rglob("*") if path.is_file() and path.stat().st_size)
    return sorted(path.name for path in found if path.parent.name != kept_packages.COUNTS)


@pytest.mark.parametrize("state", ["silent", "broken"])
def test_kept_files_are_served_while_the_mirror_is_away(cache: MirrorCache, mirror: SilentMirror, state: str) -> None:
    for path in (RELEASE, PACKAGE):
        assert get(cache, mirror, path).content == b"one"
    place = kept_packages.home() / f"localhost:{mirror.server_port}{RELEASE}"
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
    assert get(cache, mirror, path).status_code == (404 if "absent" in path else 504)
    assert not kept_files()


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
    kept_packages.home().write_text("a file where the directory would be")
    assert get(cache, mirror, PACKAGE).content == b"one"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/../../secret",
        "http://[::1/x",
        "http:///x",
        "ftp://localhost/x",
        "/x",
        "http://local\x01host:x/",
    ],
)
def test_other_urls_are_refused(cache: MirrorCache, url: str) -> None:
    with socket.create_connection(("127.0.0.1", cache.server_port), 10) as client:
        client.sendall(f"GET {url} HTTP/1.1\r\n\r\n".encode())
        with client.makefile("rb") as answers:
            assert b" 400 " in answers.readline()


def test_what_nobody_asks_for_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    host = kept_packages.home() / "host"
    host.mkdir(parents=True)
    for name in ("old.deb", ".qalab-of-a-killed-process"):
        (host / name).touch()
    kept_packages.prune()
    assert len([*host.iterdir()]) == 2
    for limit, left in ((kept_packages.UNFINISHED, ["old.deb"]), (kept_packages.UNUSED, [])):
        later = environment.now() + limit + timedelta(days=1)
        monkeypatch.setattr(environment, "now", lambda later=later: later)
        kept_packages.prune()
        assert [path.name for path in host.iterdir()] == left
        (kept_packages.home() / "pruned").touch()


def test_a_machine_with_a_proxy_uses_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    mirror_cache.url.cache_clear()
    found = (mirror_cache.url(), mirror_cache.variables(), mirror_cache.options(), mirror_cache.setup())
    mirror_cache.url.cache_clear()
    assert found == ("", {}, [], "")


class OddMirror:
    """A mirror that answers each request on one connection with bytes that a test says; ``asked``: their first lines."""

    def __init__(self, address: str = "127.0.0.1", family: int = socket.AF_INET) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.connections, self.away, self.pause = 0, False, threading.Event()
        self.pause.set()
        self.socket = socket.create_server((address, 0), family=family)
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests_of_it, suppress(OSError):
            while (line := requests_of_it.readline().decode().strip()) and not self.away:
                self.asked.append(line)
                while requests_of_it.readline().strip():
                    pass
                self.pause.wait()
                method = line.split()[0]
                answer = self.answers.get(method, self.answers["GET"])
                connection.sendall(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else answer)
                if b"Content-Length: 3\r" not in answer:
                    return


def said(status: str, content: bytes = b"one", **headers: str) -> bytes:
    """Return an answer of a mirror."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


DATED = {"Last_Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
GOOD = said("200 OK", Content_Length="3", **DATED)


@pytest.fixture
def odd() -> Iterator[OddMirror]:
    mirror = OddMirror()
    yield mirror
    mirror.socket.close()


def fetched(cache: MirrorCache, odd: OddMirror, path: str = PACKAGE, **headers: str) -> tuple[int, bytes]:
    """Return the status and the content that a client gets, "cut" for what is not whole."""
    cache.silent.clear()
    with closing(http.client.HTTPConnection("127.0.0.1", cache.server_port, timeout=10)) as connection:
        connection.request("GET", f"http://localhost:{odd.port}{path}", headers=headers)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read() if answer.status == 200 else b""
        except http.client.IncompleteRead:
            return answer.status, b"cut"


CHUNKED = {"Transfer_Encoding": "chunked", **DATED}


@pytest.mark.parametrize(
    ("answer", "got", "kept"),
    [
        pytest.param(GOOD, (200, b"one"), True, id="good"),
        pytest.param(said("200 OK", b"3\r\none\r\n0\r\n\r\n", **CHUNKED), (200, b"one"), True, id="chunks"),
        pytest.param(said("200 OK", b"3\r\none\r\n", **CHUNKED), (200, b"cut"), False, id="cut chunks"),
        pytest.param(
            said("200 OK", b"3\r\none\r\n0\r\n\r\n", Content_Length="9", **CHUNKED), (200, b"one"), True, id="chunks and a length"
        ),
        pytest.param(said("200 OK", Content_Length="9", **DATED), (200, b"cut"), False, id="cut"),
        pytest.param(said("200 OK", b"oneandmore", Content_Length="3", **DATED), (200, b"one"), True, id="too much"),
        pytest.param(said("200 OK", **DATED), (200, b"one"), False, id="no length"),
        pytest.param(said("200 OK", Content_Length="many", **DATED), (200, b"one"), False, id="length is no number"),
        pytest.param(said("200 OK", Content_Length="3"), (200, b"one"), True, id="no date"),
        pytest.param(said("200 OK", Content_Length="3", Last_Modified="yesterday"), (200, b"one"), True, id="date is none"),
        pytest.param(
            said("200 OK", Content_Length="3", Last_Modified="Fri, 31 Dec 9999 23:59:59 GMT"), (200, b"one"), True, id="date far away"
        ),
        pytest.param(said("206 Partial Content", Content_Length="3", **DATED), (502, b""), False, id="206"),
        pytest.param(said("304 Not Modified", b""), (502, b""), False, id="304 unasked"),
        pytest.param(said("301 Moved", b"", Location="/debian/pool/main/h/hello/hello_1_all.deb"), (504, b""), False, id="circle"),
        pytest.param(said("301 Moved", b"", Location="ftp://localhost/x"), (504, b""), False, id="to another protocol"),
        pytest.param(said("302 Found", b""), (502, b""), False, id="to nowhere"),
        pytest.param(said("403 No", b""), (403, b""), False, id="403"),
        pytest.param(said("200 OK", Content_Length="3", Content_Type="text/html; charset=utf-8"), (200, b"one"), False, id="page"),
        pytest.param(b"no HTTP at all\r\n\r\n", (504, b""), False, id="no HTTP"),
    ],
)  # fmt: skip
def test_odd_answers(cache: MirrorCache, odd: OddMirror, answer: bytes, got: tuple[int, bytes], *, kept: bool) -> None:
    odd.answers["GET"] = answer
    assert fetched(cache, odd) == got
    assert bool(kept_files()) == kept
    odd.away = True
    assert fetched(cache, odd) == ((200, b"one") if kept else (504, b"")), "while the mirror is away"


@pytest.mark.parametrize(
    "answer",
    [
        said("429 Too Many Requests", b""),
        said("503 Away", b""),
        said("200 OK", b"log in", Content_Length="6", Content_Type="text/html"),
        said("301 Moved", b"", Location="/debian/dists/bookworm/InRelease"),
    ],
    ids=["too many requests", "503", "page of a login", "circle"],
)
def test_what_is_kept_outlives_an_odd_answer(cache: MirrorCache, odd: OddMirror, answer: bytes) -> None:
    odd.answers["GET"] = GOOD
    assert fetched(cache, odd, RELEASE) == (200, b"one")
    odd.answers["GET"] = answer
    assert fetched(cache, odd, RELEASE) == (200, b"one")
    assert outages.told().startswith(f"localhost:{odd.port} does not answer: packages as of ")
    odd.answers["GET"] = said("200 OK", b"two", Content_Length="3", **DATED)
    odd.answers["HEAD"] = said("405 No", b"", Content_Length="0")
    assert fetched(cache, odd, RELEASE) == (200, b"two"), "a mirror that does not tell is asked for the file"


@pytest.mark.parametrize("path", [f"{PACKAGE}?x=1", "/debian/", "/debian/.", "/debian/.qalab-x", f"/{'n' * 300}"])
def test_what_is_no_file_of_a_mirror_is_passed_on(cache: MirrorCache, odd: OddMirror, path: str) -> None:
    odd.answers["GET"] = GOOD
    assert fetched(cache, odd, path) == (200, b"one")
    assert kept_files() == []
    assert fetched(cache, odd) == (200, b"one")
    assert kept_files() == ["hello_1_all.deb"], "and is not in the way of one"


def test_files_for_a_login_are_not_kept(cache: MirrorCache, odd: OddMirror) -> None:
    odd.answers["GET"] = GOOD
    assert fetched(cache, odd, Authorization="Basic bWU6c2VjcmV0") == (200, b"one")
    assert kept_files() == []


@pytest.mark.parametrize("damage", [b"", b"on", b"two"], ids=["empty", "cut", "another"])
@pytest.mark.parametrize("path", [PACKAGE, RELEASE, HASHED])
def test_damaged_files_are_fetched_again(cache: MirrorCache, odd: OddMirror, path: str, damage: bytes) -> None:
    odd.answers["GET"] = GOOD
    fetched(cache, odd, path)
    place = kept_packages.home() / f"localhost:{odd.port}{path}"
    date = place.stat().st_mtime
    place.write_bytes(damage)
    os.utime(place, (date, date + (damage == b"two")))  # its size tells no difference
    assert fetched(cache, odd, path) == (200, b"one")


def test_index_that_is_not_what_its_name_says_is_not_kept(cache: MirrorCache, odd: OddMirror) -> None:
    odd.answers["GET"] = said("200 OK", b"two", Content_Length="3", **DATED)
    assert fetched(cache, odd, HASHED) == (200, b"two")
    assert kept_files() == []


def test_absent_file_is_absent_while_the_mirror_is_away(cache: MirrorCache, odd: OddMirror) -> None:
    odd.answers["GET"] = said("404 Not Found", b"", Content_Length="0")
    assert fetched(cache, odd, RELEASE)[0] == 404
    odd.answers["GET"] = said("500 No", b"", Content_Length="0")
    assert fetched(cache, odd, RELEASE)[0] == 500
    odd.away = True
    assert fetched(cache, odd, RELEASE)[0] == 404, "apt takes another form of the index then"


def test_connection_to_the_mirror_is_used_again(cache: MirrorCache, odd: OddMirror) -> None:
    odd.answers["GET"] = GOOD
    with closing(http.client.HTTPConnection("127.0.0.1", cache.server_port, timeout=10)) as connection:
        for number in range(3):
            connection.request("GET", f"http://localhost:{odd.port}/debian/{number}.deb")
            assert connection.getresponse().read() == b"one"
    assert odd.connections == 1


@pytest.mark.skipif(not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")
def test_mirror_with_an_address_of_ipv6(cache: MirrorCache) -> None:
    mirror = OddMirror("::1", socket.AF_INET6)
    mirror.answers["GET"] = GOOD
    for away in (False, True):
        mirror.away = away
        cache.silent.clear()
        url, proxy = f"http://[::1]:{mirror.port}{PACKAGE}", {"http": f"http://127.0.0.1:{cache.server_port}"}
        assert requests.get(url, proxies=proxy, timeout=10).content == b"one"
    mirror.socket.close()


def test_slow_mirror_is_waited_for_where_nothing_is_kept(
    cache: MirrorCache, odd: OddMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd.answers["GET"] = GOOD
    monkeypatch.setattr(mirror_cache, "IMPATIENT_SECONDS", 0.001)
    odd.pause.clear()
    threading.Thread(target=lambda: wait_for(lambda: odd.asked) and odd.pause.set(), daemon=True).start()
    assert fetched(cache, odd, RELEASE) == (200, b"one")
    odd.pause.clear()
    assert fetched(cache, odd, RELEASE) == (200, b"one")
    odd.pause.set()
    assert outages.told().startswith(f"localhost:{odd.port} does not answer: packages as of ")


def test_requests_of_one_file_at_once(cache: MirrorCache, odd: OddMirror) -> None:
    odd.answers["GET"] = GOOD
    with ThreadPoolExecutor(8) as threads:
        assert {*threads.map(lambda _: fetched(cache, odd), range(8))} == {(200, b"one")}
    assert kept_files() == ["hello_1_all.deb"]


def test_client_that_ends_leaves_nothing(cache: MirrorCache, odd: OddMirror) -> None:
    size = 2**24
    odd.answers["GET"] = said("200 OK", b"x" * size, Content_Length=str(size), **DATED)
    with socket.create_connection(("127.0.0.1", cache.server_port)) as client:
        client.sendall(f"GET http://localhost:{odd.port}{PACKAGE} HTTP/1.1\r\n\r\n".encode())
        client.recv(1000)
    odd.answers["GET"] = GOOD
    assert fetched(cache, odd) == (200, b"one")
    assert (kept_packages.home() / f"localhost:{odd.port}{PACKAGE}").read_bytes() == b"one"


def test_tunnel_for_https(cache: MirrorCache, odd: OddMirror) -> None:
    odd.answers["GET"] = said("200 OK", b"through", Content_Length="7")
    with socket.create_connection(("127.0.0.1", cache.server_port), 10) as client:
        # At once: nothing that comes with the question is lost.
        client.sendall(f"CONNECT localhost:{odd.port} HTTP/1.1\r\n\r\nGET /x HTTP/1.0\r\n\r\n".encode())
        with client.makefile("rb") as answers:
            assert b" 200 " in answers.readline()
            assert answers.read().endswith(b"through")


@pytest.mark.parametrize("place", ["localhost:1", "localhost:99999999", "localhost", "[::1:2", ":0"])
def test_tunnel_to_nowhere_is_refused(cache: MirrorCache, place: str) -> None:
    with socket.create_connection(("127.0.0.1", cache.server_port), 10) as client:
        client.sendall(f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
        with client.makefile("rb") as answers:
            assert b" 502 " in answers.readline()


def test_savings_are_counted(cache: MirrorCache, odd: OddMirror, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_packages.savings() is None
    day = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    monkeypatch.setattr(environment, "now", lambda: day)
    odd.answers["GET"] = GOOD
    for _ in range(3):
        fetched(cache, odd)
    place = kept_packages.home() / kept_packages.COUNTS / "2026-02-03"
    with place.open("a") as stream:
        stream.write("a damaged line\n12")
    found = kept_packages.savings()
    assert found
    assert (found.since, found.asked, found.from_here) == ("2026-02-03", 9, 6)
    assert found.kept >= 3


@pytest.mark.parametrize(
    ("most", "left"),
    [(3000, ["new", "old", "used"]), (2999, ["new", "used"]), (1000, ["used"]), (0, [])],
)
def test_what_was_used_least_recently_is_removed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, left: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    host = kept_packages.home() / "host"
    (kept_packages.home() / kept_packages.COUNTS).mkdir(parents=True)
    (kept_packages.home() / kept_packages.COUNTS / "2026-02-03").write_text("9 6\n")
    host.mkdir()
    (host / "index.absent").touch()
    for name in ("used", "old", "new"):
        (host / name).write_bytes(b"x" * 1000)
        before = (host / name).stat().st_ctime_ns
        assert wait_for(
            lambda path=host / "used", before=before: kept_packages.use(path, DATE) or path.stat().st_ctime_ns > before
        )
    assert kept_packages.bound(most, dry_run=True) == kept_packages.bound(most) == 1000 * (3 - len(left))
    assert sorted(path.name for path in host.iterdir()) == sorted([*left, "index.absent"])
    assert kept_packages.savings(), "the counts stay"
