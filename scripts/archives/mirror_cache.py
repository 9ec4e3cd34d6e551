"""What apt downloads, kept: a proxy between every apt of the lab and the mirrors, in this process and on loopback only.

It asks the mirror each time whether a kept file is still the newest.  Where the mirror does not answer, it serves what
it has, and notes the outage: see `lab.base.outages`.  apt checks signatures and digests as without it.  A machine with a
proxy of its own uses that one instead, and mirrors behind https are not kept.

::

    CACHE/packages/HOST/PATH        a file as the mirror had it last, with the mirror's date
    CACHE/packages/HOST/PATH.seen   of an index: when the mirror last said that it is so
"""

from __future__ import annotations

import functools
import http.server
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from lab.base import environment, outages
from scripts.chroots.bootstrap import MIRROR_PROXY, proxies

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 60.0
SILENCE: Final = timedelta(seconds=60)
UNUSED: Final = timedelta(days=45)
BLOCK: Final = 2**17
INDICES: Final = frozenset({"InRelease", "Release"})


@functools.cache
def url() -> str:
    """Return the URL of this process's proxy, started by the first call; "" where this machine has one of its own."""
    if any(line.startswith("Acquire::http::Proxy ") for line in proxies()):
        return ""
    prune(kept_in())
    server = MirrorCache()
    threading.Thread(target=server.serve_forever, args=(0.5,), daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def variables() -> dict[str, str]:
    """Return the environment variables by which an apt without a proxy of its own takes this one."""
    return {"http_proxy": url()} if url() else {}


def options() -> list[str]:
    """Return the options by which an apt of this machine takes this proxy."""
    own = ("-oAcquire::http::Proxy::127.0.0.1=DIRECT", f"-oAcquire::http::Proxy={url()}")
    return [*own] if url() else []


def kept_in() -> Path:
    """Return where files are kept."""
    return environment.cache_home() / "packages"


def setup() -> str:
    """Return a line of sh by which apt in a session takes this proxy; "" where it needs none.

    It has no ``%``, because sbuild reads that as an escape.
    """
    return f"echo 'Acquire::http::Proxy \"{url()}\";' > {MIRROR_PROXY}" if url() else ""


def place(asked: SplitResult) -> Path | None:
    """Return where a file is kept; None for a URL that no mirror has."""
    parts = [asked.netloc, *filter(None, asked.path.split("/"))]
    if asked.scheme != "http" or asked.query or not {".", ".."}.isdisjoint(parts):
        return None
    return kept_in().joinpath(*parts)


class MirrorCache(http.server.ThreadingHTTPServer):
    """The proxy; ``silent``: hosts that did not answer, and until when they are not asked again."""

    daemon_threads = True

    def __init__(self) -> None:
        self.silent: dict[str, datetime] = {}
        super().__init__(("127.0.0.1", 0), _CacheHandler)

    def handle_error(self, *_: object) -> None:
        """Ignore errors: a client that was killed is no news."""

    @contextmanager
    def ask(self, asked: SplitResult, since: float | None) -> Iterator[requests.Response | None]:
        """Yield the mirror's answer to a question for a file that is newer than a Unix time; None without an answer."""
        import requests  # noqa: PLC0415 - most runs of programs ask no mirror

        answer = None
        if environment.now() >= self.silent.get(asked.netloc, datetime.min.replace(tzinfo=UTC)):
            headers = {"Accept-Encoding": "identity"}
            headers |= {"If-Modified-Since": formatdate(since, usegmt=True)} if since is not None else {}
            with requests.Session() as session:
                session.trust_env = False
                try:
                    answer = session.get(
                        asked.geturl(), headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)
                    )
                except requests.RequestException:
                    self.silent[asked.netloc] = environment.now() + SILENCE
                else:
                    with answer:
                        yield answer
                        return
        yield None


class _CacheHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MirrorCache

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        kept_at = place(asked)
        if kept_at is None:
            self.send_error(HTTPStatus.BAD_REQUEST, "this proxy is for the mirrors of packages")
            return
        kept = kept_at.is_file()
        if kept and "by-hash" in kept_at.parts:  # its name says what it has
            self._send_kept(kept_at)
            return
        with self.server.ask(asked, kept_at.stat().st_mtime if kept else None) as answer:
            if answer is None and not kept:
                self.send_error(
                    HTTPStatus.GATEWAY_TIMEOUT, f"{asked.netloc} does not answer, and nothing of this is kept"
                )
            elif answer is None or (kept and answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR):
                if kept_at.name in INDICES:
                    outages.note(asked.netloc, last_seen(kept_at))
                self._send_kept(kept_at)
            elif answer.status_code == HTTPStatus.NOT_MODIFIED:
                _seen(kept_at)
                self._send_kept(kept_at)
            elif answer.status_code == HTTPStatus.OK:
                self._pass_on(answer, kept_at)
            else:
                self.send_error(answer.status_code, answer.reason)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def _send_kept(self, place: Path) -> None:
        with place.open("rb") as stream:
            status = os.fstat(stream.fileno())
            with suppress(OSError):
                os.utime(place, (environment.now().timestamp(), status.st_mtime))
            if self._has(status.st_mtime):
                self.send_response(HTTPStatus.NOT_MODIFIED)
                self.end_headers()
                return
            self._begin({"Content-Length": str(status.st_size)}, status.st_mtime)
            while block := stream.read(BLOCK):
                self.wfile.write(block)

    def _has(self, date: float) -> bool:
        with suppress(ValueError, TypeError, OverflowError):
            return parsedate_to_datetime(self.headers["If-Modified-Since"]).timestamp() >= int(date)
        return False

    def _begin(self, headers: Mapping[str, str], date: float | None) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in headers.items():
            self.send_header(name, value)
        if date is not None:
            self.send_header("Last-Modified", formatdate(date, usegmt=True))
        if "Content-Length" not in headers:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def _pass_on(self, answer: requests.Response, place: Path) -> None:
        """Send what the mirror has, and keep it if it is whole and there is room."""
        length = answer.headers.get("Content-Length")
        date = _date(answer.headers.get("Last-Modified"))
        self._begin({"Content-Length": length} if length else {}, date)
        with _new_file(place) as stream:
            # Without a length, an answer that was cut looks whole; chunks have theirs.
            count, whole, last = 0, stream is not None and bool(length or answer.raw.chunked), b""
            for block in answer.raw.stream(BLOCK, decode_content=False):
                self.wfile.write(last)
                last, count = block, count + len(block)
                if whole and stream:
                    try:
                        stream.write(block)
                    except OSError:  # a full disk
                        whole = False
            cut = bool(length) and count != int(length or 0)
            if whole and stream and not cut:
                with suppress(OSError):
                    stream.flush()
                    os.utime(stream.name, (environment.now().timestamp(), date or 0))
                    Path(stream.name).replace(place)
                    _seen(place)
            self.wfile.write(last)  # who has all of a file finds it kept
            self.close_connection |= cut


@contextmanager
def _new_file(place: Path) -> Iterator[IO[bytes] | None]:
    """Yield a file beside a place, which is removed unless somebody moves it there; None where none can be made."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # Not in the way of a file of this name: no mirror has one that begins so.
        stream = tempfile.NamedTemporaryFile(prefix=".qalab-", dir=place.parent, delete=False, buffering=BLOCK)  # noqa: SIM115 - closed below
    except OSError:
        yield None
        return
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()
        Path(stream.name).unlink(missing_ok=True)


def _date(value: str | None) -> float | None:
    with suppress(ValueError, TypeError, OverflowError):
        return parsedate_to_datetime(value or "").timestamp()
    return None


def _seen(place: Path) -> None:
    if place.name in INDICES:
        with suppress(OSError):
            place.with_name(f"{place.name}.seen").touch()


def last_seen(place: Path) -> datetime:
    """Return when the mirror last had a kept index."""
    seen = place.with_name(f"{place.name}.seen")
    return datetime.fromtimestamp((seen if seen.exists() else place).stat().st_mtime, UTC)


def prune(home: Path) -> None:
    """Remove what nobody has asked for in a long time, once a day."""
    now, stamp = environment.now(), home / "pruned"
    with suppress(OSError):
        if stamp.exists() and now.timestamp() - stamp.stat().st_mtime < timedelta(days=1).total_seconds():
            return
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        for path in [path for path in home.rglob("*") if path.is_file() and path != stamp]:
            # Each use sets the date of its last change, see utime(2).
            if now.timestamp() - path.stat().st_ctime > UNUSED.total_seconds():
                path.unlink(missing_ok=True)
