"""The lab's own archive over HTTP, for as long as a build or a deployment reads it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from lab.config.description import Lab
from lab.store.runs import Store
from scripts.archives.reprepro import PUBLIC_KEY
from scripts.chroots.bootstrap import Repository


def replacing(lab: Lab, track: str) -> tuple[str, ...]:
    """Return the components that builds take from the lab's archive even if the distribution has a newer version."""
    return tuple(name for name in lab.components_of(track) if lab.component(name, track).version.replace_newer)


@contextmanager
def served(lab: Lab, track: str, *, replaces: tuple[str, ...] | None = None) -> Iterator[Repository | None]:
    """Serve the lab's own archive over HTTP on a free loopback port; None while it has nothing for the track.

    ``replaces``: see `scripts.chroots.bootstrap.Repository`.
    """
    root = Store.of(lab).archive
    if not (root / "dists" / track).is_dir():
        yield None
        return
    with _Server(("127.0.0.1", 0), partial(_Handler, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            key = (root / PUBLIC_KEY).read_text()
            yield Repository(f"http://127.0.0.1:{server.server_port}", track, key, lab.lab.name, replaces=replaces)
        finally:
            server.shutdown()
            thread.join()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Ignore errors: a client that was killed is no news."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass
