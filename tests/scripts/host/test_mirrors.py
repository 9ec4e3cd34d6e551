"""The mirror of a series, asked."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment
from lab.base.errors import InfrastructureError
from lab.config.description import Series
from scripts.host import mirrors


class Handler(http.server.BaseHTTPRequestHandler):
    """A mirror of bookworm."""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/debian/dists/bookworm/Release" else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/debian"
        server.shutdown()


def test_mirror_that_has_the_series(url: str) -> None:
    assert mirrors.reached("bookworm", Series(mirror=url)) == url
    assert mirrors.reached("stable", Series(mirror=f"{url}/", codename="bookworm")) == f"{url}/"


def test_mirror_without_the_series(url: str) -> None:
    with pytest.raises(InfrastructureError, match="/debian/dists/sid/Release: 404 Not Found"):
        mirrors.reached("sid", Series(mirror=url))


def test_mirror_without_an_address() -> None:
    """The reason ends with a bracket of its own."""
    with pytest.raises(
        InfrastructureError, match=r"Failed to resolve 'mirror.invalid' \(\[Errno -\d+\] [^)]+\) \(check"
    ):
        mirrors.reached("bookworm", Series(mirror="http://mirror.invalid/debian"))


def test_kept_packages_are_told_while_the_mirror_is_away(tmp_path: Path) -> None:
    kept = environment.cache_home() / "packages/127.0.0.1:9/debian/dists/bookworm/InRelease.seen"
    kept.parent.mkdir(parents=True)
    for path in (kept.with_suffix(""), kept):
        path.touch()
    os.utime(kept, (1_767_225_600, 1_767_225_600))
    told = "cannot be reached: .*Connection refused; packages as of 2026-01-01 00:00 UTC are kept"
    with pytest.raises(InfrastructureError, match=told):
        mirrors.reached("bookworm", Series(mirror="http://127.0.0.1:9/debian/"))


def test_mirror_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        InfrastructureError, match=r"^http://127.0.0.1:9/debian: cannot be reached: .*Connection refused"
    ):
        mirrors.reached("bookworm", Series(mirror="http://127.0.0.1:9/debian"))
    monkeypatch.setattr(mirrors, "PATIENCE_SECONDS", 0.01)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as silent:  # it accepts, and nobody serves
        address = f"http://127.0.0.1:{silent.server_port}"
        with pytest.raises(InfrastructureError, match=f"^{address}: no answer within 0.01 s"):
            mirrors.reached("bookworm", Series(mirror=address))
    with pytest.raises(InfrastructureError, match="dists/bookworm/Release: no such file"):
        mirrors.reached("bookworm", Series(mirror=f"file://{tmp_path}"))
