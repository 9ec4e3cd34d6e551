"""A preview of the site on the loopback interface, with the headers that docs/how-to/site.md recommends for a server."""

from __future__ import annotations

import io
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from lab.base.errors import ConfigurationError
from reports.site.render import POLICY

LOOPBACK: Final = "127.0.0.1"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".atom": "application/atom+xml; charset=utf-8",
    ".gz": "application/gzip",
}
PLAIN: Final = "text/plain; charset=utf-8"
TEXT: Final = ".txt.gz"  # a log: the browser unpacks and shows it
HEADERS: Final = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Handler(SimpleHTTPRequestHandler):
    """A handler that serves files with fixed types and lists no directories; a file of another type is plain text."""

    def guess_type(self, path: object) -> str:
        name = str(path)
        return PLAIN if name.endswith(TEXT) else TYPES.get(Path(name).suffix, PLAIN)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if self.path.endswith(TEXT):
            self.send_header("Content-Encoding", "gzip")
        elif self.path.endswith(".gz"):
            self.send_header("Content-Disposition", "attachment")
        super().end_headers()

    def list_directory(self, path: object) -> io.BytesIO | None:  # noqa: ARG002
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Print nothing: the browser shows each answer."""


def server(out: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of the site in ``out``; port 0 is any free port.  Raises ConfigurationError if it cannot start."""
    if not (out / "current").exists():
        raise ConfigurationError(f"{out}: no site here", hint="build one with: qalab site build")
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(Handler, directory=str(out / "current")))
    except OSError as error:
        raise ConfigurationError(f"{LOOPBACK}:{port}: cannot listen: {error.strerror}") from None
