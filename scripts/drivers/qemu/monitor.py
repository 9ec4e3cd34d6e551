"""The monitor of a virtual machine: QMP on a socket, see qemu-qmp-ref(7)."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lab.base.errors import InfrastructureError

SOCKET = "monitor"
PATIENCE_SECONDS = 120.0


def command(directory: Path, line: str) -> str:
    """Run a command of the human monitor; return its output.

    Raises InfrastructureError when it fails, or the machine does not run.
    """
    with _connected(directory) as stream:
        _ask(stream, "qmp_capabilities")
        answer = _ask(stream, "human-monitor-command", {"command-line": line})
    return str(answer).strip()


@contextmanager
def _connected(directory: Path) -> Iterator[IO[bytes]]:
    place = os.open(directory, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE_SECONDS)
            sock.connect(f"/proc/self/fd/{place}/{SOCKET}")  # the path of a socket is limited in length: unix(7)
            with sock.makefile("rwb", buffering=0) as stream:
                yield stream  # type: ignore[misc]
    except OSError as error:
        raise InfrastructureError(f"{directory.name}: qemu does not answer: {error}") from None
    finally:
        os.close(place)


def _ask(stream: IO[bytes], name: str, arguments: dict[str, Any] | None = None) -> object:
    stream.write(json.dumps({"execute": name, **({"arguments": arguments} if arguments else {})}).encode() + b"\n")
    for line in stream:
        answer = json.loads(line)
        if "error" in answer:
            raise InfrastructureError(f"qemu refuses {name}: {answer['error']['desc']}")
        if "return" in answer:
            return answer["return"]
    raise InfrastructureError(f"qemu ended during {name}")
