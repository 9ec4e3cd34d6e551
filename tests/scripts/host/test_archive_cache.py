"""The archive cache: what is installed, that apt is told of it last, and what doctor says of it."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from lab.base import environment
from lab.base.errors import InfrastructureError
from scripts.host import archive_cache
from tests.processes import wait_for
from tests.scripts.host.noted_programs import noted

COUNTERS_PATH = "/squid-internal-mgr/counters"
COUNTERS = "sample_time = 1\nclient_http.requests = 6\nclient_http.kbytes_out = {}\nclient_http.hit_kbytes_out = {}\n"


def set_up(home: Path) -> None:
    with (home / "log").open("w") as log:
        archive_cache.set_up(lambda _: None, log)


@pytest.mark.parametrize("is_root", [True, False])
def test_apt_is_told_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_root: bool) -> None:
    monkeypatch.setattr(environment, "is_root", lambda: is_root)
    programs = noted(tmp_path, monkeypatch, "apt-get", "service", "tee")
    set_up(tmp_path)
    assert programs.called() == [
        "apt-get install -y -qq --no-install-recommends squid",
        "tee /etc/squid/conf.d/qalab.conf",
        "service squid restart",
        "tee /etc/apt/apt.conf.d/30qalab-archive-cache",
    ]
    assert programs.input() == archive_cache.SQUID + archive_cache.APT


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("fails", ["install", "squid restart", "/etc/squid"])
def test_apt_is_not_told_of_a_cache_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    programs = noted(tmp_path, monkeypatch, "apt-get", "service", "tee")
    programs.fail(fails)
    with pytest.raises(InfrastructureError, match=r"the archive cache could not be set up: .* with status 9"):
        set_up(tmp_path)
    assert "/etc/apt" not in " ".join(programs.called())


@contextmanager
def serving(texts: dict[str, str]) -> Iterator[str]:
    """Serve texts by path, without a time, a length or a tag, as some mirrors do."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in texts else 404)
            self.end_headers()
            self.wfile.write(texts.get(self.path, "").encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """Have apt be told of a proxy, and of none for the lab's own archive."""
    monkeypatch.delenv("http_proxy", raising=False)
    program = tmp_path / "bin" / "apt-config"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' {proxy} DIRECT\n" if proxy else "#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("proxy", "detail"),
    [
        ("", "none: apt asks the mirrors each time; qalab setup --archive-cache keeps what it downloads"),
        ("http://cache.example.org:3142/", "apt asks cache.example.org"),
        ("http://ada:secret@cache.example.org:3142", "apt asks cache.example.org"),
    ],
)
def test_other_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, detail: str) -> None:
    told(tmp_path, monkeypatch, proxy)
    assert archive_cache.state() == archive_cache.Finding("archive cache", good=True, detail=detail)


@pytest.mark.parametrize(
    ("given", "kept", "saved"),
    [(37765, 18882, "19 of 38 MB (50%)"), (0, 0, "0 of 0 MB"), (4_000_000, 3_900_000, "3900 of 4000 MB (98%)")],
)
def test_doctor_says_what_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: int, kept: int, saved: str
) -> None:
    with serving({COUNTERS_PATH: COUNTERS.format(given, kept)}) as url:
        monkeypatch.setattr(archive_cache, "URL", url)
        told(tmp_path, monkeypatch, url)
        found = archive_cache.state()
    assert found.good
    assert found.detail == f"squid has given {saved} without asking a mirror since it was started"


def test_cache_that_is_away_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_cache, "URL", "http://127.0.0.1:9")  # the port of discard(7), where nothing listens
    told(tmp_path, monkeypatch, archive_cache.URL)
    found = archive_cache.state()
    assert (found.good, found.fix) == (False, "service squid restart")


@pytest.fixture
def squid() -> Iterator[str]:
    """The real squid with the lab's configuration, in a directory that the user proxy may enter; yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        shutil.chown(home, "proxy")
        (home / "squid.conf").write_text(
            f"http_port 127.0.0.1:{port}\npid_filename {home}/pid\ncoredump_dir {home}\n"
            f"access_log none\ncache_log {home}/log\nhttp_access allow localhost\nhttp_access deny all\n"
            + archive_cache.SQUID.replace("/var/spool/squid", f"{home}/cache")
            + "refresh_pattern . 0 20% 4320\n"
        )
        command = ["squid", "-N", "-f", home / "squid.conf"]
        subprocess.run([*command, "-z"], check=True, capture_output=True, timeout=60)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


@pytest.mark.integration
@pytest.mark.skipif(not environment.is_root(), reason="squid becomes the user proxy")
@pytest.mark.skipif(not environment.find_program("squid"), reason="squid is not here")
def test_squid_keeps_files_and_not_the_indices(squid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, digest, index = "/pool/h/hello_1_amd64.deb", "/dists/sid/by-hash/SHA256/ab", "/dists/sid/InRelease"
    texts = dict.fromkeys((pool, digest, index), "old")
    with serving(texts) as mirror, requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": squid}

        def got(path: str) -> str:
            answer = session.get(mirror + path, timeout=60)
            answer.raise_for_status()
            return answer.text

        def answers() -> bool:
            with suppress(requests.ConnectionError):
                return got(index) == "old"
            return False

        assert wait_for(answers)
        assert [got(path) for path in (pool, digest, index)] == ["old", "old", "old"]
        for path in texts:
            texts[path] = "new"
        assert [got(path) for path in (pool, digest, index)] == ["old", "old", "new"]
    monkeypatch.setattr(archive_cache, "URL", squid)
    told(tmp_path, monkeypatch, squid)
    assert re.fullmatch(r"squid has given \d+ of \d+ MB.* since it was started", archive_cache.state().detail)
