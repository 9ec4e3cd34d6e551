"""A mirror with suites of packages that a test says, signed; whatever else is asked of it, the real mirror has."""

from __future__ import annotations

import http.server
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.base.run import run
from lab.config import apt
from tests.packages import BINARY, binary

KEY = (
    "%no-protection\nKey-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign\nName-Real: mirror\nExpire-Date: 0\n%commit\n"
)
SUITE = (
    "Codename: {name}\nSuite: {name}\nOrigin: Debian\nComponents: main\nArchitectures: amd64\nSignWith: yes\n"
    "Contents: percomponent nocompatsymlink\n\n"
)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Mirror:
    """Where it lies, and is served."""

    root: Path
    url: str
    gnupg: Path

    @property
    def keyring(self) -> Path:
        """The keys of both, its own and the distribution's."""
        return self.gnupg.parent / "keyring.gpg"

    @property
    def series(self) -> dict[str, Any]:
        return {"mirror": self.url, "keyring": str(self.keyring), "pockets": ["updates"]}

    def add(
        self,
        suite: str,
        package: str,
        version: str,
        *,
        source: str = "",
        control: str = "",
        files: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Put a binary package into a suite that is there; ``control``: more lines."""
        path = self.root / f"{package}_{version}_all.deb"
        if not path.exists():
            fields = BINARY.format(package=package, name=source or package, version=version)
            with tempfile.TemporaryDirectory() as directory:
                binary(Path(directory, package), path, f"{fields}{control}", version, files)
        self._reprepro("includedeb", suite, path)

    def empty(self, *suites: str) -> None:
        """Have suites with nothing in them."""
        (self.root / "conf").mkdir(exist_ok=True)
        (self.root / "conf/distributions").write_text("".join(SUITE.format(name=name) for name in suites))
        self._reprepro("export")

    def remove(self, suite: str, *packages: str) -> None:
        self._reprepro("remove", suite, *packages)

    def _reprepro(self, *argv: str | Path) -> None:
        run(["reprepro", "--silent", "--basedir", self.root, *argv], env={"GNUPGHOME": str(self.gnupg)})


@contextmanager
def mirrored(root: Path) -> Iterator[Mirror]:
    root.mkdir()
    # The agent ends by itself after gpgconf and removes its sockets: what is gone already is no error here.
    with tempfile.TemporaryDirectory(prefix="qalab-test-", dir="/var/tmp") as directory:
        home = Path(directory)
        home.chmod(0o755)  # what signs is read by apt, whose user is another, and on nodes, whose /tmp is their own
        with serving(root, home / "gnupg") as mirror:
            yield mirror


@contextmanager
def serving(root: Path, gnupg: Path) -> Iterator[Mirror]:
    gnupg.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(gnupg)}
    elsewhere = apt.machine_mirror("debian") or ""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, root, elsewhere)) as server:
        mirror = Mirror(root, f"http://127.0.0.1:{server.server_port}", gnupg)
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        try:
            run(["gpg", "--batch", "--gen-key"], env=env, stdin=KEY.encode())
            exported = root / "own.gpg"
            run(["gpg", "--batch", "--output", exported, "--export"], env=env)
            mirror.keyring.write_bytes(exported.read_bytes() + Path(KEYRING).read_bytes())
            yield mirror
        finally:
            server.shutdown()
            run(["gpgconf", "--kill", "gpg-agent"], env=env, check=False)


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, root: Path, elsewhere: str, *args: Any) -> None:
        self.elsewhere = elsewhere
        super().__init__(*args, directory=str(root))

    def do_GET(self) -> None:
        # A test may change a suite twice within the second that the times of HTTP count in.
        del self.headers["If-Modified-Since"]
        if Path(self.translate_path(self.path)).exists() or self._is_of_ours():
            super().do_GET()
            return
        self.send_response(302)
        self.send_header("Location", self.elsewhere + self.path)
        self.end_headers()

    def _is_of_ours(self) -> bool:
        """Whether it is below a suite that this mirror has: what is missing there, nobody has."""
        suite = self.path.removeprefix("/dists/").partition("/")[0]
        return (Path(self.directory) / "dists" / suite / "InRelease").exists()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass
