"""A program that passes connections on, from where nodes can be reached: DESCRIPTOR ADDRESS PORT.

DESCRIPTOR is a listening socket, which another network namespace can have made.
"""

from __future__ import annotations

import shutil
import socket
import sys
import threading
from contextlib import suppress


def forward(server: socket.socket, address: str, port: int) -> None:
    """Accept connections for ever, each with a connection to an address."""
    while True:
        client, _ = server.accept()
        threading.Thread(target=_connect, args=(client, address, port), daemon=True).start()


def _connect(client: socket.socket, address: str, port: int) -> None:
    with client, suppress(OSError), socket.create_connection((address, port), timeout=30) as peer:
        peer.settimeout(None)
        back = threading.Thread(target=_copy, args=(peer, client), daemon=True)
        back.start()
        _copy(client, peer)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy until the end of the source, and pass the end on."""
    with (
        suppress(OSError),
        source.makefile("rb", buffering=0) as reading,
        target.makefile("wb", buffering=0) as writing,
    ):
        shutil.copyfileobj(reading, writing)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    forward(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3]))
