"""Upload queues: what ``upload.to`` means to dput, and how each kind is asked what it has.

================================  ==========================================================
``ppa:TEAM/NAME``                 Launchpad: signed uploads, for an Ubuntu series
``ftp://HOST[:PORT]/PATH``        anonymous
``http://``, ``https://``         anonymous PUT
``sftp://[USER@]HOST[:PORT]/P``   by SSH key; ``/~/P`` lies in the user's home
``file:///PATH``                  a directory of this machine
================================  ==========================================================

A password has no place in lab.yaml, and dput takes one from nowhere but a terminal.
"""

from __future__ import annotations

import ftplib
import gzip
import lzma
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from debian.deb822 import Deb822

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import run

if TYPE_CHECKING:
    import requests

PATIENCE_SECONDS = 60.0
METHODS = {"ftp": "ftp", "http": "http", "https": "https", "sftp": "scp", "file": "local"}
PPA = re.compile(r"ppa:([a-z0-9][a-z0-9.+-]*)/([a-z0-9][a-z0-9.+-]*)")
KNOWN = "known: ppa:TEAM/NAME, and ftp://, sftp://, http://, https://, file:// of a directory"


@dataclass(frozen=True)
class Published:
    """A deb-style archive that a queue feeds."""

    url: str
    suite: str
    component: str

    def versions(self, source: str) -> list[str]:
        """Return the versions of a source package that its index lists; none when there is no index to read.

        Raises InfrastructureError when the archive does not answer.
        """
        index = f"{self.url.rstrip('/')}/dists/{self.suite}/{self.component}/source/Sources"
        for suffix in (".xz", ".gz", ""):
            if (packed := fetch(index + suffix)) is not None:
                paragraphs = unpacked(packed).decode("utf-8", "replace").split("\n\n")
                ours = (Deb822(text) for text in paragraphs if f"\nPackage: {source}\n" in f"\n{text}\n")
                return [paragraph["Version"] for paragraph in ours]
        return []


@dataclass(frozen=True)
class Queue:
    """An incoming queue in the terms of dput.cf(5)."""

    method: str
    incoming: str
    host: str = "localhost"
    port: int | None = None
    login: str = "anonymous"
    ppa: bool = False

    def configuration(self, section: str) -> str:
        """Return a dput.cf with this queue as its one host."""
        port = str(self.port or "")
        options = {
            "method": self.method,
            "fqdn": f"{self.host}:{port}" if port and self.method != "scp" else self.host,
            "incoming": self.incoming,
            "login": self.login,
            "allow_unsigned_uploads": "1",  # the queue decides which signatures it accepts
        }
        if self.method == "scp":
            options["ssh_config_options"] = "BatchMode=yes" + (f"\n  Port={port}" if port else "")
        lines = "".join(f"{name} = {value.replace('%', '%%')}\n" for name, value in options.items())
        return f"[{section}]\n{lines}"

    def size(self, name: str, log: IO[str]) -> int | None:
        """Return the size of a file in the queue; None when it is not there, or the queue does not tell.

        Raises InfrastructureError when the queue does not answer.
        """
        # Launchpad shows each session an empty directory.
        return None if self.ppa else ASKING[self.method](self, name, log)


def queue(to: str) -> Queue:
    """Return the queue that ``upload.to`` names.  Raises ConfigurationError."""
    if match := PPA.fullmatch(to):
        return Queue("ftp", f"~{match[1]}/ubuntu/{match[2]}/", "ppa.launchpad.net", ppa=True)
    try:
        parts = urlsplit(to)
        host, port, method = parts.hostname, parts.port, METHODS.get(parts.scheme)
    except ValueError as error:
        raise ConfigurationError(f"upload.to: not a URL: {error}", hint=KNOWN) from None
    if parts.password is not None or (method != "scp" and parts.username not in {None, "anonymous"}):
        hint = "leave account and password out; where an account is needed, use sftp:// and an SSH key"
        raise ConfigurationError(f"upload.to: the queue at {host} is used anonymously", hint=hint)
    if method is None or not parts.path or bool(host) == (method == "local"):
        raise ConfigurationError(f"upload.to: {to} names no queue", hint=KNOWN)
    path = parts.path if method in {"http", "https"} else unquote(parts.path)
    if method != "scp":
        return Queue(method, path, host or "localhost", port)
    return Queue(method, path.removeprefix("/~/") or ".", host or "", port, parts.username or "*")


def published(text: str | None, to: str, codename: str) -> Published | None:
    """Return the archive that ``upload.published`` names, or that a PPA feeds.  Raises ConfigurationError."""
    if text is None:
        match = PPA.fullmatch(to)
        return match and Published(f"https://ppa.launchpadcontent.net/{match[1]}/{match[2]}/ubuntu", codename, "main")
    words = text.split()
    if len(words) != 3 or "://" not in words[0]:  # noqa: PLR2004
        raise ConfigurationError(f"upload.published: {text!r} is not URL SUITE COMPONENT")
    return Published(*words)


def fetch(url: str) -> bytes | None:
    """Return the content at a URL (file: included); None when there is none that may be read."""
    if url.startswith("file://"):
        path = Path(unquote(urlsplit(url).path))
        return path.read_bytes() if path.exists() else None
    answer = _request("GET", url)
    return answer.content if answer.status_code == HTTPStatus.OK else None


def unpacked(data: bytes) -> bytes:
    """Return data decompressed according to its first bytes (a server can have decompressed it already)."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    return lzma.decompress(data) if data.startswith(b"\xfd7zXZ\x00") else data


def _request(method: str, url: str, *, direct: bool = False) -> requests.Response:
    """Return a definite answer of the server.  Raises InfrastructureError when there is none."""
    import requests  # noqa: PLC0415 - the client takes a tenth of a CPU second, and most labs upload nothing

    try:
        answer = requests.request(method, url, timeout=PATIENCE_SECONDS, proxies={"no_proxy": "*"} if direct else None)
    except requests.RequestException as error:
        raise _unreachable(url, error) from error
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR and answer.status_code != HTTPStatus.NOT_IMPLEMENTED:
        raise InfrastructureError(f"{url}: the server answers {answer.status_code} {answer.reason}")
    return answer


def _unreachable(where: str, error: BaseException) -> InfrastructureError:
    cause = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return InfrastructureError(f"{where}: cannot be reached: {cause}")


def _ftp_size(queue: Queue, name: str, log: IO[str]) -> int | None:  # noqa: ARG001
    try:
        with ftplib.FTP(timeout=PATIENCE_SECONDS) as server:  # noqa: S321 - what upload queues speak
            server.connect(queue.host, queue.port or ftplib.FTP_PORT)
            server.login()
            server.voidcmd("TYPE I")
            return server.size(f"{queue.incoming.rstrip('/')}/{name}")
    except ftplib.error_perm:
        return None
    except ftplib.all_errors as error:
        raise _unreachable(f"ftp://{queue.host}", error) from error


def _http_size(queue: Queue, name: str, log: IO[str]) -> int | None:  # noqa: ARG001
    host = f"{queue.host}:{queue.port}" if queue.port else queue.host
    # As dput asks for it, which knows no proxies.
    answer = _request("HEAD", f"{queue.method}://{host}/{queue.incoming.strip('/')}/{name}", direct=True)
    length = answer.headers.get("Content-Length", "")
    return int(length) if answer.status_code == HTTPStatus.OK and length.isdecimal() else None


def _sftp_size(queue: Queue, name: str, log: IO[str]) -> int | None:
    user = "" if queue.login == "*" else f"{queue.login}@"
    port = ["-P", str(queue.port)] if queue.port else []
    listing = run(["sftp", "-b", "-", "-o", "BatchMode=yes", *port, f"{user}{queue.host}"],
                  stdin=f'ls -ln "{queue.incoming.rstrip("/")}/{name}"\n'.encode(),
                  log=log, capture=True, check=False)  # fmt: skip
    if listing.returncode == 255:  # noqa: PLR2004 - ssh(1), EXIT STATUS
        raise InfrastructureError(f"sftp://{queue.host}: cannot be reached", hint="the step's log has ssh's own words")
    rows = [line.split() for line in listing.stdout.splitlines() if line.startswith("-")]
    return int(rows[0][4]) if rows else None


def _local_size(queue: Queue, name: str, log: IO[str]) -> int | None:  # noqa: ARG001
    path = Path(queue.incoming, name)
    return path.stat().st_size if path.exists() else None


ASKING: Mapping[str, Callable[[Queue, str, IO[str]], int | None]] = {
    "ftp": _ftp_size,
    "http": _http_size,
    "https": _http_size,
    "scp": _sftp_size,
    "local": _local_size,
}
