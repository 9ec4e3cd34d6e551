"""The lab's own archive over HTTP, for as long as a build or a deployment reads it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from lab.config.description import Lab
from lab.store.archive_place import reader_of
from scripts.chroots.bootstrap import Repository


def replacing(lab: Lab, track: str) -> tuple[str, ...]:
    """Return the components that builds take from the lab's archive even if the distribution has a newer version."""
    return tuple(name for name in lab.components_of(track) if lab.component(name, track).version.replace_newer)


@contextmanager
def served(lab: Lab, suite: str, *, replaces: tuple[str, ...] | None = None) -> Iterator[Repository | None]:
    """Give a suite of the lab's own archive as apt reads it over HTTP; None while it does not have it.

    An archive on this machine is served on a free loopback port meanwhile.
    ``suite``: a state, or a label; empty for none.  ``replaces``: see `scripts.chroots.bootstrap.Repository`.
    """
    reader = reader_of(lab)
    if not (suite and reader.has(suite)):
        yield None
        return
    if reader.is_remote:
        yield Repository(reader.location, suite, reader.key(), lab.lab.name, replaces=replaces)
        return
    with _Server(("127.0.0.1", 0), partial(_Handler, directory=reader.location)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            yield Repository(url, suite, reader.key(), lab.lab.name, replaces=replaces)
        finally:
            server.shutdown()
            thread.join()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Ignore errors: a client that was killed is no news."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass
