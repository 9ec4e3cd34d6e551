"""The preview: loopback only, correct types and headers, no directory listings, unknown files as plain text."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lab.base.errors import ConfigurationError
from reports.site.serve import server


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    home = tmp_path / "slots/a"
    home.mkdir(parents=True)
    for name in ("index.html", "x.json", "x.svg", "feed.atom", "bundle.tar.gz", "page.xhtml", "run.sh", "sub/file"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text("content")
    (tmp_path / "current").symlink_to("slots/a")
    (tmp_path / "secret").write_text("outside")
    with server(tmp_path, 0) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.002,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "name, kind",
    [
        ("", "text/html; charset=utf-8"),
        ("x.json", "application/json"),
        ("x.svg", "image/svg+xml"),
        ("feed.atom", "application/atom+xml; charset=utf-8"),
        ("bundle.tar.gz", "application/gzip"),
        ("page.xhtml", "text/plain; charset=utf-8"),
        ("run.sh", "text/plain; charset=utf-8"),
        ("sub/file", "text/plain; charset=utf-8"),
    ],
)
def test_serve_sends_types_and_headers(url: str, name: str, kind: str) -> None:
    answer = requests.get(f"{url}/{name}", timeout=60)
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, "content", kind)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert ("attachment" in answer.headers.get("Content-Disposition", "")) == name.endswith(".gz")


@pytest.mark.parametrize("name", ["sub/", "nothing", "../../secret", "%2e%2e/%2e%2e/secret"])
def test_serve_answers_404_for_other_paths(url: str, name: str) -> None:
    answer = requests.Request("GET", url).prepare()
    answer.url = f"{url}/{name}"
    with requests.Session() as session:
        assert session.send(answer, timeout=60).status_code == 404


def test_server_reports_missing_site_and_used_port(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no site here \(build one with: qalab site build\)"):
        server(tmp_path / "other", 0)
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:\d+: cannot listen: Address already in use"):
        server(tmp_path, int(url.rpartition(":")[2]))
