"""What upload.to and upload.published mean, and how queues are asked."""

from __future__ import annotations

import gzip
import http.server
import io
import lzma
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from scripts.archives import upload_queues
from scripts.archives.upload_queues import Published, Queue


@pytest.mark.parametrize(
    "to, expected",
    [
        ("ppa:team/name", Queue("ftp", "~team/ubuntu/name/", "ppa.launchpad.net", ppa=True)),
        ("ftp://queue.example/pub/UploadQueue/", Queue("ftp", "/pub/UploadQueue/", "queue.example")),
        ("ftp://anonymous@queue.example:2121/in%20box", Queue("ftp", "/in box", "queue.example", 2121)),
        ("http://queue.example:8080/in%20box", Queue("http", "/in%20box", "queue.example", 8080)),
        ("https://queue.example/", Queue("https", "/", "queue.example")),
        ("sftp://queue.example/srv/incoming", Queue("scp", "/srv/incoming", "queue.example", None, "*")),
        ("sftp://lab@queue.example:2222/~/incoming", Queue("scp", "incoming", "queue.example", 2222, "lab")),
        ("sftp://queue.example/~/", Queue("scp", ".", "queue.example", None, "*")),
        ("file:///srv/incoming", Queue("local", "/srv/incoming")),
    ],
)
def test_queue_from_setting(to, expected):
    assert upload_queues.queue(to) == expected


@pytest.mark.parametrize(
    "to, what",
    [
        ("ppa:team", "names no queue"),
        ("ppa:Team/name", "names no queue"),
        ("queue.example", "names no queue"),
        ("scp://queue.example/x", "names no queue"),
        ("ftp://queue.example", "names no queue"),
        ("ftp:///pub", "names no queue"),
        ("file://queue.example/pub", "names no queue"),
        ("ftp://queue.example:port/pub", "not a URL"),
        ("ftp://lab@queue.example/pub", "used anonymously"),
        ("https://lab@queue.example/pub", "used anonymously"),
        ("ftp://lab:secret@queue.example/pub", "used anonymously"),
        ("sftp://lab:secret@queue.example/pub", "used anonymously"),
        ("scp://lab:secret@queue.example/pub", "used anonymously"),
    ],
)
def test_queue_refuses_invalid_setting(to, what):
    with pytest.raises(ConfigurationError, match=what) as error:
        upload_queues.queue(to)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "to, lines",
    [
        ("ppa:team/name", ["method = ftp", "fqdn = ppa.launchpad.net", "incoming = ~team/ubuntu/name/", "login = anonymous"]),
        ("ftp://queue.example:2121/a%2520b", ["method = ftp", "fqdn = queue.example:2121", "incoming = /a%%20b",
                                              "login = anonymous"]),
        ("file:///srv/in", ["method = local", "fqdn = localhost", "incoming = /srv/in", "login = anonymous"]),
        ("sftp://lab@queue.example:2222/in", ["method = scp", "fqdn = queue.example", "incoming = /in", "login = lab",
                                              "ssh_config_options = BatchMode=yes", "  Port=2222"]),
        ("sftp://queue.example/in", ["method = scp", "fqdn = queue.example", "incoming = /in", "login = *",
                                     "ssh_config_options = BatchMode=yes"]),
    ],
)  # fmt: skip
def test_queue_dput_configuration(to, lines):
    text = upload_queues.queue(to).configuration("name")
    assert text.splitlines() == ["[name]", *lines[:4], "allow_unsigned_uploads = 1", *lines[4:]]


@pytest.mark.parametrize(
    "text, to, expected",
    [
        (None, "ftp://queue.example/in", None),
        (None, "ppa:team/name", Published("https://ppa.launchpadcontent.net/team/name/ubuntu", "noble", "main")),
        (
            "http://archive.example/debian sid main",
            "ppa:team/name",
            Published("http://archive.example/debian", "sid", "main"),
        ),
    ],
)
def test_published_archive_from_setting(text, to, expected):
    assert upload_queues.published(text, to, "noble") == expected


@pytest.mark.parametrize("text", ["http://archive.example sid", "archive sid main", "http://a.example sid main extra"])
def test_published_archive_refuses_invalid_setting(text):
    with pytest.raises(ConfigurationError, match="is not URL SUITE COMPONENT"):
        upload_queues.published(text, "ftp://queue.example/in", "noble")


SOURCES = """\
Package: greeting
Version: 9

Package: greet
Binary: greet
Version: 1.0-1

Package: other
Build-Depends: greet
Version: 3

Package: greet
Version: 1.0-2
"""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each path with what ``answers`` has for it: a status, or content."""

    def do_GET(self) -> None:
        answer = self.server.answers.get(self.path, 404)
        status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def answering(answers: dict[str, int | bytes]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answers = answers
        thread = threading.Thread(target=server.serve_forever, args=(0.002,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("suffix, pack", [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress), (".xz", bytes)])
@pytest.mark.parametrize("over", ["file", "http"])
def test_published_versions_of_source(tmp_path, over, suffix, pack):
    name = f"/debian/dists/sid/main/source/Sources{suffix}"
    content = pack(SOURCES.encode())
    (tmp_path / name[1:]).parent.mkdir(parents=True)
    (tmp_path / name[1:]).write_bytes(content)
    with answering({name: content}) as address:
        archive = Published(f"{f'file://{tmp_path}' if over == 'file' else address}/debian/", "sid", "main")
        assert archive.versions("greet") == ["1.0-1", "1.0-2"]
        assert archive.versions("absent") == []


@pytest.mark.parametrize("status", [404, 403, 401])
def test_published_versions_without_index_are_empty(status):
    answers = {f"/dists/sid/main/source/Sources{suffix}": status for suffix in ("", ".gz", ".xz")}
    with answering(answers) as address:
        assert Published(address, "sid", "main").versions("greet") == []


def test_published_versions_of_unreachable_archive():
    message = r"Sources.xz: the server answers 503 Service Unavailable"
    with (
        answering({"/dists/sid/main/source/Sources.xz": 503}) as address,
        pytest.raises(InfrastructureError, match=message),
    ):
        Published(address, "sid", "main").versions("greet")
    with pytest.raises(InfrastructureError, match=r"Sources.xz: cannot be reached: .*Connection refused"):
        Published(address, "sid", "main").versions("greet")


@pytest.mark.parametrize(
    "answer, size", [(b"12345", 5), (404, None), (403, None), (405, None), (501, None), (301, None)]
)
def test_http_queue_size(answer, size):
    with answering({"/in/x.changes": answer}) as address:
        assert upload_queues.queue(f"{address}/in/").size("x.changes", io.StringIO()) == size


@pytest.mark.parametrize("scheme", ["http", "ftp"])
def test_http_and_ftp_queue_unreachable(scheme):
    with answering({"/in/x.changes": 500}) as address:
        port = address.rpartition(":")[2]
        if scheme == "http":
            with pytest.raises(InfrastructureError, match="the server answers 500"):
                upload_queues.queue(f"{address}/in").size("x.changes", io.StringIO())
    with pytest.raises(InfrastructureError, match=r"cannot be reached: .*Connection refused"):
        upload_queues.queue(f"{scheme}://127.0.0.1:{port}/in").size("x.changes", io.StringIO())


def test_local_queue_size(tmp_path):
    (tmp_path / "x.changes").write_text("12345")
    queue = upload_queues.queue(f"file://{tmp_path}")
    assert (queue.size("x.changes", io.StringIO()), queue.size("y.changes", io.StringIO())) == (5, None)


def test_ppa_queue_size_is_unknown():
    assert upload_queues.queue("ppa:team/name").size("x.changes", io.StringIO()) is None


LISTING = (
    'sftp> ls -ln "/in box/x.changes"\n-rw-r--r--    1 1000     1000          123 Jan  1 00:00 /in box/x.changes\n'
)


@pytest.mark.parametrize("output, status, size", [(LISTING, 0, 123), ("sftp> ls ...\n", 1, None)])
def test_sftp_queue_size(tmp_path, monkeypatch, output, status, size):
    fake = tmp_path / "bin/sftp"
    fake.parent.mkdir()
    (tmp_path / "said").write_text(output)
    fake.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/argv\ncat > {tmp_path}/stdin\ncat {tmp_path}/said\nexit {status}\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    queue = upload_queues.queue("sftp://lab@queue.example:2222/in%20box/")
    with (tmp_path / "log").open("w") as log:
        assert queue.size("x.changes", log) == size
    assert (tmp_path / "argv").read_text() == "-b - -o BatchMode=yes -P 2222 lab@queue.example\n"
    assert (tmp_path / "stdin").read_text() == 'ls -ln "/in box/x.changes"\n'


def test_sftp_queue_unreachable(tmp_path):
    with (tmp_path / "log").open("w") as log, pytest.raises(InfrastructureError, match="cannot be reached"):
        upload_queues.queue("sftp://127.0.0.1:1/in").size("x.changes", log)
    assert "Connection refused" in (tmp_path / "log").read_text()


def test_fetch_reads_file_url(tmp_path: Path):
    (tmp_path / "a b").write_text("x")
    assert upload_queues.fetch(f"file://{tmp_path}/a%20b") == b"x"
    assert upload_queues.fetch(f"file://{tmp_path}/absent") is None
