"""A real apt with the proxy that keeps what it downloads, before mirrors of all kinds."""

from __future__ import annotations

import base64
import http.server
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment, outages
from lab.base.run import run
from scripts.archives import mirror_cache
from scripts.archives.mirror_cache import MirrorCache
from scripts.archives.private_apt import own_apt

pytestmark = pytest.mark.integration
CONTROL = "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Lab <lab@lab.example>\nDescription: of a test\n"
PACKAGES = [f"greet{number}" for number in range(15)]  # more than apt asks for at once


class RepositoryServer(http.server.ThreadingHTTPServer):
    """A mirror; ``login``: that it asks for, ``leads_to``: another one, ``away``: it closes connections instead of answers.

    ``last``: a name after which it is away.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.login, self.leads_to, self.away, self.asked = root, "", "", False, list[str]()
        self.last = ""
        super().__init__(("127.0.0.1", 0), RepositoryRequest)

    def handle_error(self, *_: object) -> None:
        pass


class RepositoryRequest(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RepositoryServer

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, directory=str(arguments[2].root))

    def send_head(self) -> Any:
        self.server.asked.append(f"{self.command} {self.path}")
        if self.server.away:
            raise ConnectionResetError
        if self.server.leads_to:
            self.send_response(301)
            self.send_header("Location", f"{self.server.leads_to}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        wanted = f"Basic {base64.b64encode(self.server.login.encode()).decode()}"
        if self.server.login and self.headers["Authorization"] != wanted:
            self.send_error(401)
            return None
        found = super().send_head()
        self.server.away = bool(
            found and self.server.last and self.command == "GET" and self.path.endswith(self.server.last)
        )
        return found

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@dataclass
class Stand:
    """A mirror, the proxy, and an apt that has nothing."""

    home: Path
    server: RepositoryServer
    cache: MirrorCache
    scheme: str = "http"
    by_hash: bool = True
    filled: int = 1_767_225_600
    words: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.server.root

    def fill(self, *names: str, version: str = "1", flat: bool = False) -> None:
        """Put packages into the repository, and make its indices anew."""
        for name in names:
            tree = self.home / f"{name}-{version}"
            (tree / "DEBIAN").mkdir(parents=True)
            (tree / "DEBIAN/control").write_text(CONTROL.format(name=name, version=version))
            (tree / "data").write_bytes(f"{name} {version} ".encode() * 10_000)
            pool = self.root / ("." if flat else "pool")
            pool.mkdir(parents=True, exist_ok=True)
            run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, pool / f"{name}_{version}_all.deb"])
        index = self.root / ("Packages" if flat else "dists/toy/main/binary-amd64/Packages")
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_text(self._ftparchive("packages", "." if flat else "pool"))
        release = self.root if flat else self.root / "dists/toy"
        (release / "Release").unlink(missing_ok=True)
        words = [f"-oAPT::FTPArchive::Release::Acquire-By-Hash={'yes' if self.by_hash else 'no'}", "-oAPT::FTPArchive::Release::Components=main",
                 "-oAPT::FTPArchive::Release::Architectures=amd64", "release", str(release.relative_to(self.root))]  # fmt: skip
        text = self._ftparchive(*words)
        (release / "Release").write_text(text)
        self.filled += 1
        for path in (release / "Release", index):  # HTTP tells seconds
            os.utime(path, (self.filled, self.filled))
        if not self.by_hash:
            return
        digest = run(["sha512sum", index], capture=True).stdout.split()[0]
        hashed = index.parent / "by-hash/SHA512" / digest
        hashed.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(index, hashed)

    def _ftparchive(self, *words: str) -> str:
        return run(["apt-ftparchive", *words], cwd=self.root, capture=True).stdout

    def apt(self, *words: str, sources: str = "", fresh: bool = True, good: bool = True) -> str:
        """Run apt-get, which knows nothing of before; return what it says."""
        root = self.home / "apt"
        if fresh:
            shutil.rmtree(root, ignore_errors=True)
        login = f"{self.server.login}@" if self.server.login else ""
        url = f"{self.scheme}://{login}localhost:{self.server.server_port}/"
        options = own_apt(root, [f"deb [trusted=yes arch=amd64] {url} {sources or 'toy main'}"])
        proxy = f"http://127.0.0.1:{self.cache.server_port}"
        own = [f"-oAcquire::http::Proxy={proxy}", "-oAcquire::Retries=0", "-oAcquire::Languages=none", *self.words]
        own += ["-oAPT::Update::Error-Mode=any", "-oAcquire::AllowInsecureRepositories=true", "--yes", "--quiet"]
        done = subprocess.run(
            ["apt-get", *options, *own, *words], env=environment.clean(), capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) == good, done.stdout + done.stderr
        return done.stdout

    def install(self, *names: str, sources: str = "") -> list[str]:
        """Have apt read the indices and download packages; return their files."""
        self.apt("update", sources=sources)
        self.apt("install", "--download-only", *names, sources=sources, fresh=False)
        return sorted(path.name for path in (self.home / "apt/archives").glob("*.deb"))


@contextmanager
def serving(server: http.server.ThreadingHTTPServer) -> Iterator[None]:
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    outages.forget()
    (tmp_path / "repository").mkdir()
    with RepositoryServer(tmp_path / "repository") as server, MirrorCache() as cache, serving(server), serving(cache):
        yield Stand(tmp_path, server, cache)
    outages.forget()


def test_apt_installs_from_what_is_kept_while_the_mirror_is_away(stand: Stand) -> None:
    stand.fill(*PACKAGES)
    assert len(stand.install(*PACKAGES)) == len(PACKAGES), "many at once, on one connection"
    stand.server.away = True
    assert len(stand.install(*PACKAGES)) == len(PACKAGES)
    assert outages.told().startswith(f"localhost:{stand.server.server_port} does not answer: packages as of ")


def test_nothing_is_downloaded_twice(stand: Stand) -> None:
    stand.fill(*PACKAGES)
    stand.install(*PACKAGES)
    stand.server.asked.clear()
    assert len(stand.install(*PACKAGES)) == len(PACKAGES)
    assert [line for line in stand.server.asked if line.startswith("GET") and line.endswith(".deb")] == []


def test_mirror_that_changes_between_release_and_packages(stand: Stand) -> None:
    stand.fill("greet1")
    stand.apt("update")
    old = (stand.root / "dists/toy/Release").read_bytes()
    stand.fill("greet2")
    (stand.root / "dists/toy/Release").write_bytes(old)
    (stand.root / "dists/toy/main/binary-amd64/Packages").write_text("of another moment")
    assert stand.install("greet1") == ["greet1_1_all.deb"], "the index that belongs to it, by its digest"


def test_mirror_of_two_moments(stand: Stand) -> None:
    """It has no indices by their digests, and is being updated: without the proxy, apt could not use it."""
    stand.by_hash = False
    stand.fill("greet1")
    assert stand.install("greet1") == ["greet1_1_all.deb"]
    (stand.root / "dists/toy/main/binary-amd64/Packages").write_text("of another moment")
    assert stand.install("greet1") == ["greet1_1_all.deb"], "the index that belongs to it"
    stand.server.away = True
    assert stand.install("greet1") == ["greet1_1_all.deb"]


@pytest.mark.parametrize("by_hash", [True, False], ids=["by digest", "by name"])
@pytest.mark.parametrize("times", [1, 2])
def test_mirror_that_is_away_after_its_release(stand: Stand, by_hash: bool, times: int) -> None:  # noqa: FBT001 - a parameter
    stand.by_hash = by_hash
    stand.fill("greet1")
    assert stand.install("greet1") == ["greet1_1_all.deb"]
    for number in range(times):
        stand.server.away, stand.server.last = False, "/Release"
        stand.fill(f"greet{number + 2}")
        stand.cache.silent.clear()
        stand.apt("update", good=False)
        stand.cache.silent.clear()
        assert stand.install("greet1") == ["greet1_1_all.deb"], "the release whose indices are kept"
    assert outages.told().startswith(f"localhost:{stand.server.server_port} does not answer: packages as of ")
    stand.server.away, stand.server.last = False, ""
    stand.cache.silent.clear()
    assert stand.install("greet2") == ["greet2_1_all.deb"]
    stand.server.away = True
    stand.cache.silent.clear()
    assert stand.install("greet2") == ["greet2_1_all.deb"], "the newest one that is whole"


def test_mirror_goes_back(stand: Stand) -> None:
    stand.fill("greet1")
    before = stand.home / "before"
    shutil.copytree(stand.root, before)
    for path in before.rglob("*"):
        if path.is_file():
            run(["touch", "--date=2026-01-02", path])
    stand.fill("greet1", version="2")
    assert stand.install("greet1") == ["greet1_2_all.deb"]
    shutil.rmtree(stand.root)
    shutil.copytree(before, stand.root)
    assert stand.install("greet1") == ["greet1_1_all.deb"], "an older date is another file as well"


def test_damaged_kept_files_heal(stand: Stand) -> None:
    stand.fill("greet1")
    stand.install("greet1")
    kept = [
        path for path in (environment.cache_home() / "packages").rglob("*") if path.is_file() and path.stat().st_size
    ]
    assert len(kept) > 3
    for path in kept:
        status = path.stat()
        run(["truncate", "--size=0", path])  # as after a loss of power
        run(["touch", f"--date=@{status.st_mtime}", path])
    assert stand.install("greet1") == ["greet1_1_all.deb"]


def make_https(stand: Stand, server: http.server.ThreadingHTTPServer) -> Path:
    """Have a server speak https; return the certificate that its clients are to trust."""
    key, certificate = stand.home / "key.pem", stand.home / "cert.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return certificate


def test_mirror_behind_https(stand: Stand) -> None:
    stand.fill("greet1")
    certificate = make_https(stand, stand.server)
    stand.scheme, stand.words = "https", [f"-oAcquire::https::CAInfo={certificate}"]
    assert stand.install("greet1") == ["greet1_1_all.deb"]


def test_mirror_that_leads_to_https(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.fill("greet1")
    with RepositoryServer(stand.root) as other:
        monkeypatch.setattr(mirror_cache, "CERTIFICATES", str(make_https(stand, other)))
        stand.server.leads_to = f"https://localhost:{other.server_port}"
        with serving(other):
            assert stand.install("greet1") == ["greet1_1_all.deb"]
            stand.server.away = True
            assert stand.install("greet1") == ["greet1_1_all.deb"], "what it led to is kept as its own"


def test_mirror_with_a_login(stand: Stand) -> None:
    stand.fill("greet1")
    stand.server.login = "me:secret"
    assert stand.install("greet1") == ["greet1_1_all.deb"]
    assert not any((environment.cache_home() / "packages").rglob("*.deb")), "the proxy asks nobody for a login"


def test_repository_without_a_structure(stand: Stand) -> None:
    stand.fill("greet1", flat=True)
    assert stand.install("greet1", sources="./") == ["greet1_1_all.deb"]
    stand.server.away = True
    assert stand.install("greet1", sources="./") == ["greet1_1_all.deb"]


def test_apt_goes_on_with_a_file_that_it_has_in_part(stand: Stand) -> None:
    stand.fill("greet1")
    stand.apt("update")
    whole = (stand.root / "pool/greet1_1_all.deb").read_bytes()
    part = stand.home / "apt/archives/partial/greet1_1_all.deb"
    part.write_bytes(whole[:10_000])
    stand.apt("install", "--download-only", "greet1", fresh=False)
    assert (stand.home / "apt/archives/greet1_1_all.deb").read_bytes() == whole
