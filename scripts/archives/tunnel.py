"""A tunnel of an HTTP proxy, for https: see the method CONNECT of RFC 9110."""

from __future__ import annotations

import http.server
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import IO, Final

SILENT_SECONDS: Final = 120.0
BLOCK: Final = 2**16


def opened(request: http.server.BaseHTTPRequestHandler, connect_seconds: float) -> None:
    """Answer a request for a tunnel, and carry both ways until both have ended or nothing is said for two minutes."""
    request.close_connection = True
    host, _, port = request.path.rpartition(":")
    try:
        other = socket.create_connection((host.strip("[]"), int(port)), connect_seconds)
    except (OSError, ValueError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "no answer"
        request.send_error(HTTPStatus.BAD_GATEWAY, f"{host}: {why}")
        return
    with other:
        for end in (other, request.connection):
            end.settimeout(SILENT_SECONDS)
        request.send_response(HTTPStatus.OK)
        request.end_headers()
        with other.makefile("rb") as answers:
            there = threading.Thread(target=_carry, args=(request.rfile, other), daemon=True)
            there.start()
            _carry(answers, request.connection)
            there.join()


def _carry(source: IO[bytes], target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.read1(BLOCK):  # type: ignore[attr-defined]
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
