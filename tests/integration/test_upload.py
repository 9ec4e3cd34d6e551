"""dput against real FTP, HTTP and SFTP queues on loopback that feed another archive by processincoming."""

from __future__ import annotations

import http.server
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.base.run import output, run
from scripts import upload
from tests.packages import killer, pretend_built, start, wait_for
from tests.samples import sampled

with warnings.catch_warnings():  # pyftpdlib uses asyncore, which is deprecated in Python 3.11
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler
    from pyftpdlib.servers import FTPServer

pytestmark = pytest.mark.integration

DISTRIBUTIONS = """\
Codename: public
AlsoAcceptFor: bookworm
Architectures: amd64 source
Components: main
"""
INCOMING = """\
Name: queue
IncomingDir: incoming
TempDir: tmp
Allow: bookworm>public
Permit: unused_files
"""


class Public:
    """Another archive: what comes into its queue is taken into it as soon as the .changes is there."""

    def __init__(self, root: Path) -> None:
        self.root, self.incoming = root, root / "incoming"
        self.accepted: list[str] = []
        self.rejected: list[str] = []
        self.received: list[str] = []
        for name in ("conf", "incoming", "tmp"):
            (root / name).mkdir(parents=True)
        (root / "conf/distributions").write_text(DISTRIBUTIONS)
        (root / "conf/incoming").write_text(INCOMING)

    def take(self, name: str) -> None:
        """Receive a complete file."""
        self.received.append(name)
        if name.endswith(".changes"):
            taken = run(["reprepro", "--basedir", self.root, "processincoming", "queue", name], check=False)
            (self.accepted if taken else self.rejected).append(name)

    def sources(self) -> str:
        return output(["reprepro", "--basedir", self.root, "--type", "dsc", "list", "public"])


@pytest.fixture
def public(tmp_path):
    return Public(tmp_path / "public")


class Pace:
    """The speed of a server: a pause in seconds before each piece of a transfer."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.refuse = False

    def wait(self) -> None:
        time.sleep(self.seconds)


@contextmanager
def ftp(public: Public, pace: Pace) -> Iterator[str]:
    class Transfer(DTPHandler):
        def handle_read(self) -> None:
            pace.wait()
            super().handle_read()

        handle_read_event = handle_read

    class Handler(FTPHandler):
        dtp_handler = Transfer
        authorizer = DummyAuthorizer()

        def on_file_received(self, file: str) -> None:
            public.take(Path(file).name)

        def ftp_STOR(self, file: str, mode: str = "w") -> object:  # noqa: N802 - as pyftpdlib names it
            if pace.refuse and Path(file).exists():
                self.respond("553 It is there already.")
                return None
            return super().ftp_STOR(file, mode)

    with pytest.warns(RuntimeWarning, match="write permissions assigned to anonymous user"):
        Handler.authorizer.add_anonymous(str(public.root), perm="elrw")
    server = FTPServer(("127.0.0.1", 0), Handler)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            server.serve_forever(timeout=0.02, blocking=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"ftp://127.0.0.1:{server.address[1]}/incoming"
    finally:
        stop.set()
        thread.join()


@contextmanager
def web(public: Public, pace: Pace) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            path = public.incoming / Path(self.path).name
            if pace.refuse:
                self.send_error(403)
                return
            length, pieces = int(self.headers["Content-Length"]), []
            while length:
                piece = self.rfile.read(min(length, 65536))
                if not piece:
                    return  # cut short: nothing is kept of it
                pace.wait()
                pieces.append(piece)
                length -= len(piece)
            path.write_bytes(b"".join(pieces))
            public.take(path.name)
            self.send_response(201)
            self.end_headers()

        def do_HEAD(self) -> None:
            path = public.incoming / Path(self.path).name
            self.send_response(200 if path.exists() else 404)
            self.send_header("Content-Length", str(path.stat().st_size if path.exists() else 0))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/incoming"
        finally:
            server.shutdown()
            thread.join()


QUEUES = {"ftp": ftp, "http": web}
NAMES = ["greet_1.0-1.dsc", "greet_1.0.orig.tar.gz", "greet_1.0-1.debian.tar.xz", "greet_1.0-1_source.buildinfo",
         "greet_1.0-1_source.changes"]  # fmt: skip


@pytest.fixture
def ready(lab_factory, bench):
    def make(to, *, ballast=0, version="1.0-1", **settings):
        work = bench(lab_factory(component={"upload": {"to": to, **settings}}))
        pretend_built(work, version, ballast=ballast)
        work.pretend("archive")
        return work

    return make


@pytest.mark.parametrize("kind", QUEUES)
def test_upload_arrives_once(ready, public, kind):
    with QUEUES[kind](public, Pace()) as to:
        work = ready(to)
        record = work.execute(upload)
        assert (record.verdict, record.facts) == ("passed", {"to": to, "uploaded": True}), work.log("upload")
        again = work.execute(upload)
        assert (again.verdict, again.facts["uploaded"]) == ("passed", False)
    assert public.received == NAMES
    assert public.sources() == "public|main|source: greet 1.0-1"


@pytest.mark.parametrize("kind", QUEUES)
def test_upload_is_recognized_in_published_archive(ready, public, kind):
    """No local file records the upload, and the queue is empty: the step queries the published archive."""
    with QUEUES[kind](public, Pace()) as to:
        asked = {"published": f"file://{public.root} public main"}
        work = ready(to, **asked)
        assert work.execute(upload).facts["uploaded"] is True
        for log in work.run.out.glob("*.upload"):
            log.unlink()
        assert work.execute(upload).facts["uploaded"] is False
        assert ready(to, version="1.0-0", **asked).execute(upload).verdict == "skipped"
        assert ready(to, version="1.0-2", **asked).execute(upload).facts["uploaded"] is True
    assert public.accepted == ["greet_1.0-1_source.changes", "greet_1.0-2_source.changes"]
    assert public.sources() == "public|main|source: greet 1.0-2"


@pytest.mark.parametrize("kind", QUEUES)
def test_upload_is_recognized_in_queue(ready, public, kind, monkeypatch):
    monkeypatch.setattr(public, "take", public.received.append)  # the queue keeps the files
    with QUEUES[kind](public, Pace()) as to:
        work = ready(to)
        assert work.execute(upload).facts["uploaded"] is True
        for log in work.run.out.glob("*.upload"):
            log.unlink()
        assert work.execute(upload).facts["uploaded"] is False
    assert public.received == NAMES


@pytest.mark.parametrize("whom", sampled(["step", "step and dput"], "step and dput"))
@pytest.mark.parametrize("kind", QUEUES)
def test_upload_recovers_after_kill_in_transfer(ready, public, tmp_path, monkeypatch, kind, whom):  # noqa: PLR0917
    pace = Pace()
    pace.seconds = 0.2
    with QUEUES[kind](public, pace) as to:
        work = ready(to, ballast=8_000_000)
        path = os.environ["PATH"]
        if whom == "step":
            process = start(upload, work)
            wait_for(lambda: "greet_1.0-1.dsc" in public.received)
            time.sleep(0.2)
            process.kill()
        else:
            monkeypatch.setenv("PATH", f"{killer(tmp_path / 'bin', 'dput', 1, 0.8)}:{path}")
            process = start(upload, work)
        assert process.wait() == -9
        monkeypatch.setenv("PATH", path)
        assert "greet_1.0-1_source.changes" not in public.received
        pace.seconds = 0
        time.sleep(0.5)  # the server completes the transfer
        record = work.execute(upload)
        assert (record.verdict, record.facts["uploaded"]) == ("passed", True), work.log("upload")
        assert work.execute(upload).facts["uploaded"] is False
    assert [name for name in public.received if name.endswith(".changes")] == ["greet_1.0-1_source.changes"]
    assert (public.accepted, public.rejected) == (["greet_1.0-1_source.changes"], [])
    assert public.sources() == "public|main|source: greet 1.0-1"


def test_upload_refused_by_http_queue(ready, public):
    pace = Pace()
    pace.refuse = True
    with web(public, pace) as to:
        record = ready(to).execute(upload)
        assert (record.verdict, record.exit_code) == ("error", 3)
        assert record.message == f"{to}: refused with 403 Forbidden"
    assert public.received == []


def test_upload_refused_by_ftp_queue(ready, public):
    with ftp(public, Pace()) as to:
        work = ready(to.replace("incoming", "absent"))
        record = work.execute(upload)
        assert (record.verdict, record.exit_code) == ("error", 3)
        assert record.message == f"{to.replace('incoming', 'absent')}: Directory to upload to does not exist."
    assert public.received == []


def test_upload_to_ftp_queue_with_partial_file(ready, public):
    """The queues of Debian refuse to overwrite a file."""
    pace = Pace()
    pace.refuse = True
    with ftp(public, pace) as to:
        work = ready(to)
        (public.incoming / "greet_1.0.orig.tar.gz").write_bytes(b"half")
        record = work.execute(upload)
        assert (
            record.message
            == f"{to}: the queue keeps a part of greet_1.0.orig.tar.gz from another upload: remove it there (dcut)"
        )
        assert list(work.run.out.glob("*.upload")) == []
        for path in public.incoming.iterdir():
            path.unlink()
        assert work.execute(upload).facts["uploaded"] is True
    assert public.accepted == ["greet_1.0-1_source.changes"]


SSH = """\
#!/bin/sh
echo "$@" >> {0}/ssh
exec /usr/lib/openssh/sftp-server
"""


@pytest.mark.skipif(not Path("/usr/lib/openssh/sftp-server").exists(), reason="apt-get install openssh-sftp-server")
def test_upload_by_sftp(ready, public, tmp_path, monkeypatch):
    """Use the real scp, sftp and sftp-server, connected by a pipe instead of ssh."""
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    (bin_directory / "ssh").write_text(SSH.format(tmp_path))
    for name in ("scp", "sftp"):
        real = output(["sh", "-c", f"command -v {name}"])
        (bin_directory / name).write_text(f'#!/bin/sh\nexec {real} -S {bin_directory}/ssh "$@"\n')
    for path in bin_directory.iterdir():
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_directory}:{os.environ['PATH']}")
    work = ready(f"sftp://lab@queue.example:2222{public.incoming}")
    record = work.execute(upload)
    assert record.verdict == "passed", work.log("upload")
    assert sorted(path.name for path in public.incoming.iterdir()) == sorted(NAMES)
    for log in work.run.out.glob("*.upload"):
        log.unlink()
    assert work.execute(upload).facts["uploaded"] is False
    said = (tmp_path / "ssh").read_text()
    assert said.count("queue.example") == 3  # asked, sent, asked
    assert all(word in said for word in ("BatchMode=yes", "lab", "2222"))
