"""Connect to sshd of a node, which can be booting, and hand the connection to ssh: see ProxyUseFdpass in ssh_config(5).

It is a program for a network namespace, and imports nothing of the lab.  A new ssh for each try would take a good part of a
processor, which emulated nodes need themselves.
"""

from __future__ import annotations

import socket
import sys
import time

TRY_SECONDS = 1.0
PAUSE_SECONDS = 0.2


def connected(address: str, port: int, patience: float) -> socket.socket:
    """Return a connection.  Raises OSError when nothing answers for some seconds."""
    last = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection((address, port), TRY_SECONDS)
        except OSError:
            if time.monotonic() > last:
                raise
            time.sleep(PAUSE_SECONDS)


def main(address: str, port: str, patience: str) -> None:
    try:
        peer = connected(address, int(port), float(patience))
    except OSError as error:
        sys.exit(f"ssh: connect to host {address} port {port}: {error.strerror or error}")  # as ssh says it
    socket.send_fds(socket.socket(fileno=1), [b"x"], [peer.fileno()])


if __name__ == "__main__":
    main(*sys.argv[1:])
