"""A server in a thread of its own, from the beginning of a with statement to its end."""

from __future__ import annotations

import threading
from socketserver import TCPServer, ThreadingMixIn
from typing import Self


class Loopback:
    """The base of a server on a free loopback port: ``__enter__`` returns ``self.serve(server)``."""

    _server: TCPServer
    _thread: threading.Thread

    def serve(self, server: TCPServer) -> Self:
        """Serve in a thread; requests that never end do not keep the tests from ending."""
        if isinstance(server, ThreadingMixIn):
            server.daemon_threads = True
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.002,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])
