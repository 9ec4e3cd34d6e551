"""What apt downloads, kept: a proxy between every apt of the lab and the mirrors, in this process and on loopback only.

It asks the mirror each time whether a kept file is still the newest: the one with the same size and date.  Where the
mirror does not answer, it serves what it has, and notes the outage: see `lab.base.outages`.  apt checks signatures and
digests as without it.  A machine with a proxy of its own uses that one instead.  Mirrors behind https are reached
through it and not kept, nor are files for which apt has a login.
"""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from lab.base import environment, outages
from scripts.archives import kept_indices, kept_packages, tunnel
from scripts.chroots.bootstrap import CERTIFICATES, MIRROR_PROXY, proxies

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 60.0
# Where something is kept: apt in a session waits 10 s for a proxy, see APT_OPTIONS.
IMPATIENT_SECONDS: Final = 9.0
CLIENT_SECONDS: Final = 600.0
MOST_REDIRECTS: Final = 5
SILENCE: Final = timedelta(seconds=60)
BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@functools.cache
def url() -> str:
    """Return the URL of this process's proxy, started by the first call; "" where this machine has one of its own."""
    if is_needless():
        return ""
    kept_packages.prune()
    server = MirrorCache()
    threading.Thread(target=server.serve_forever, args=(0.5,), daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def is_needless() -> bool:
    """Return whether this machine's apt has a proxy of its own."""
    return any(line.startswith("Acquire::http::Proxy ") for line in proxies())


def variables() -> dict[str, str]:
    """Return the environment variables by which an apt without a proxy of its own takes this one."""
    return {"http_proxy": url()} if url() else {}


def options() -> list[str]:
    """Return the options by which an apt of this machine takes this proxy."""
    own = ("-oAcquire::http::Proxy::127.0.0.1=DIRECT", f"-oAcquire::http::Proxy={url()}")
    return [*own] if url() else []


def setup() -> str:
    """Return a line of sh by which apt in a session takes this proxy; "" where it needs none.

    It has no ``%``, because sbuild reads that as an escape.
    """
    return f"echo 'Acquire::http::Proxy \"{url()}\";' > {MIRROR_PROXY}" if url() else ""


class MirrorCache(http.server.ThreadingHTTPServer):
    """The proxy; ``silent``: hosts that did not answer, and until when they are not asked again.

    ``of_before``: release files instead of which the one before was served.
    """

    daemon_threads = True
    request_queue_size = 128  # of all sessions at once

    def __init__(self) -> None:
        self.silent: dict[str, datetime] = {}
        self.of_before: set[Path] = set()
        super().__init__(("127.0.0.1", 0), _CacheHandler)

    def handle_error(self, *_: object) -> None:
        """Ignore errors: a client that was killed is no news."""


class _CacheHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = CLIENT_SECONDS
    server: MirrorCache
    session: requests.Session | None = None
    answered = False

    def finish(self) -> None:
        if self.session:
            self.session.close()
        super().finish()

    def do_CONNECT(self) -> None:
        tunnel.opened(self, CONNECT_SECONDS)

    def do_GET(self) -> None:
        asked = _parsed(self.path)
        if asked is None:
            self.send_error(HTTPStatus.BAD_REQUEST, "this proxy is for the mirrors of packages")
            return
        place = None if "Authorization" in self.headers else kept_packages.place(asked)
        kept = place if place and kept_packages.usable(place) else None
        if kept:
            self.server.of_before.discard(kept)
        if kept and kept_packages.named_by_content(kept):
            self._send_kept(kept)
        elif place and (found := self._belonging(place)):
            self._send_kept(found)
        elif kept and self._is_newest(asked, kept):
            kept_packages.see(kept)
            self._send_kept(kept)
        elif (answer := self._ask("GET", asked, kept)) is None:
            self._do_without(asked, kept, absent=bool(place and kept_packages.is_missed(place)))
        else:
            with closing(answer):
                self._answer(asked, answer, place, kept)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def _ask(self, method: str, asked: SplitResult, kept: Path | None) -> requests.Response | None:
        """Ask a mirror; None without an answer.  The connection stays open for the next file."""
        import requests  # noqa: PLC0415 - most runs of programs ask no mirror

        if self._is_silent(asked):
            return None
        if self.session is None:
            self.session = requests.Session()
            self.session.trust_env, self.session.max_redirects = False, MOST_REDIRECTS
            # Where a mirror leads to https: what apt trusts, and not the list that comes with requests.
            self.session.verify = CERTIFICATES if Path(CERTIFICATES).exists() else True
        headers = {"Accept-Encoding": "identity"}
        headers |= {name: self.headers[name] for name in ("Authorization",) if name in self.headers}
        while True:
            try:
                found = self.session.request(
                    method, asked.geturl(), headers=headers, stream=True, allow_redirects=True,
                    timeout=(CONNECT_SECONDS, IMPATIENT_SECONDS if kept else READ_SECONDS),
                )  # fmt: skip
            except (requests.ConnectionError, requests.Timeout) as error:
                if self.answered and not isinstance(error, requests.Timeout):
                    self.answered = False
                    continue  # the mirror can have ended the connection of the file before
                self.server.silent[asked.netloc] = environment.now() + SILENCE
                return None
            except (requests.RequestException, ValueError):  # such as a redirection in a circle
                return None
            self.answered = True
            return found

    def _is_newest(self, asked: SplitResult, kept: Path) -> bool:
        """Return whether the mirror says that its file has the size and the date of the kept one."""
        answer = self._ask("HEAD", asked, kept)
        if answer is None:
            return False
        with closing(answer):
            status, length = kept.stat(), _length(answer)
            same = _date(answer) == status.st_mtime and length in {None, status.st_size}
            return answer.status_code == HTTPStatus.OK and same

    def _belonging(self, place: Path) -> Path | None:
        """Return the kept version of an index that is listed by the release file that this process has served last."""
        release = kept_indices.release_over(place)
        if release is None:
            return None
        return kept_indices.belonging(
            place, kept_indices.former(release) if release in self.server.of_before else release
        )

    def _is_silent(self, asked: SplitResult) -> bool:
        return environment.now() < self.server.silent.get(asked.netloc, datetime.min.replace(tzinfo=UTC))

    def _do_without(self, asked: SplitResult, kept: Path | None, *, absent: bool = False) -> None:
        """Answer for a mirror that does not."""
        if kept is None and absent:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        if kept is None:
            why = f"{asked.netloc} does not answer, and nothing of this is kept"
            self.send_error(HTTPStatus.GATEWAY_TIMEOUT, why)
            return
        if kept.name in kept_indices.RELEASES:
            chosen = kept_indices.to_serve(kept)
            if chosen != kept:
                self.server.of_before.add(kept)
            outages.note(asked.netloc, kept_packages.last_seen(chosen))
            self._send_kept(chosen)
        else:
            self._send_kept(kept_indices.to_serve(kept) if kept.name == kept_indices.SIGNATURE else kept)

    def _answer(self, asked: SplitResult, answer: requests.Response, place: Path | None, kept: Path | None) -> None:
        status = answer.status_code
        # The page of a network that wants a login first is not what the mirror has.
        page = status == HTTPStatus.OK and answer.headers.get("Content-Type", "").startswith("text/html")
        if kept and (page or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in BUSY):
            self._do_without(asked, kept)
        elif status == HTTPStatus.OK:
            self._pass_on(answer, None if page else place)
        elif status >= HTTPStatus.BAD_REQUEST:
            if place and status == HTTPStatus.NOT_FOUND:
                kept_packages.miss(place)
            self.send_error(status, answer.reason)
        else:
            self.send_error(HTTPStatus.BAD_GATEWAY, f"{asked.netloc} answers with {status} {answer.reason}")

    def _send_kept(self, place: Path) -> None:
        with place.open("rb") as stream:
            status = os.fstat(stream.fileno())
            kept_packages.use(place, status.st_mtime)
            if self._has(status.st_mtime):
                self.send_response(HTTPStatus.NOT_MODIFIED)
                self.end_headers()
                return
            self._begin({"Content-Length": str(status.st_size)}, status.st_mtime)
            kept_packages.count(status.st_size, status.st_size)
            while block := stream.read(kept_packages.BLOCK):
                self.wfile.write(block)

    def _has(self, date: float) -> bool:
        with suppress(ValueError, TypeError, OverflowError):
            has = parsedate_to_datetime(self.headers["If-Modified-Since"]).timestamp()
            return bool(date) and has >= int(date)
        return False

    def _begin(self, headers: Mapping[str, str], date: float | None) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in headers.items():
            self.send_header(name, value)
            self.close_connection |= (name, value) == ("Connection", "close")
        if date:  # 0: the mirror has told none
            self.send_header("Last-Modified", formatdate(date, usegmt=True))
        self.end_headers()

    def _pass_on(self, answer: requests.Response, place: Path | None) -> None:
        """Send what the mirror has, and keep it at a place if it is whole and there is room."""
        length, date = _length(answer), _date(answer)
        chunks = length is None and self.request_version != "HTTP/1.0"  # so that a cut answer does not look whole
        sized = {"Content-Length": str(length)} if length is not None else {}
        self._begin(sized or ({"Transfer-Encoding": "chunked"} if chunks else {"Connection": "close"}), date)
        with kept_packages.new_file(place) as stream:
            # Without a length, an answer that was cut looks whole; chunks have theirs.
            count, whole, last = 0, bool(length is not None or answer.raw.chunked), b""
            for block in answer.raw.stream(kept_packages.BLOCK, decode_content=False):
                self._send(last, chunks=chunks)
                last, count = block, count + len(block)
                if whole and stream:
                    try:
                        stream.write(block)
                    except OSError:  # a full disk
                        whole = False
            cut = length not in {None, count}
            if whole and stream and place and not cut:
                kept_packages.keep(stream, place, date)
        self._send(last, chunks=chunks)  # who has all of a file finds it kept
        kept_packages.count(count, 0)
        if cut:
            self.close_connection = True
        elif chunks:
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, block: bytes, *, chunks: bool) -> None:
        if block:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if chunks else block)


def _parsed(path: str) -> SplitResult | None:
    """Return the URL of a request; None for one that no mirror has."""
    with suppress(ValueError):
        asked = urlsplit(path)
        good = asked.scheme == "http" and asked.hostname and asked.port != 0  # a port that is no number: ValueError
        if good and path.isprintable() and ".." not in asked.path.split("/"):
            return asked
    return None


def _length(answer: requests.Response) -> int | None:
    """Return the length that a mirror tells; None where its answer is in chunks."""
    told = answer.headers.get("Content-Length", "")
    return int(told) if told.isdecimal() and "Transfer-Encoding" not in answer.headers else None


def _date(answer: requests.Response) -> float | None:
    with suppress(ValueError, TypeError, OverflowError):
        return parsedate_to_datetime(answer.headers.get("Last-Modified", "")).timestamp()
    return None
