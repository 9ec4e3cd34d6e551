"""Logs of a model in any state: Juju's own, and one archive of logs from each machine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from lab.base import files
from lab.base.errors import LabError
from scripts.drivers.interfaces import Node
from scripts.drivers.juju.client import JujuModel
from scripts.drivers.node_logs import LOGS, MOST_BYTES

# All in one piece: each connection takes a second or two.
PACK = """
directory=$(mktemp --directory)
journalctl --no-pager --output=short-iso --boot > "$directory/journal.log" || :
"$@" -print0 | tar --create --gzip --ignore-failed-read --null --files-from=- --directory="$directory" journal.log
rm -r "$directory"
"""
MOST_SECONDS = 300.0  # for one machine, which can be lost


def collect(model: JujuModel, nodes: Iterable[Node], into: Path) -> None:
    """``juju/status.json`` and ``juju/debug.log``; for each node a directory, as for any driver."""
    commands: dict[str, Callable[[], str]] = {
        "status.json": model.status_text,
        "debug.log": lambda: model.call("debug-log", "--replay", "--no-tail", "--date", "--utc"),
    }
    for name, ask in commands.items():
        with suppress(LabError):  # a failed download does not prevent the others
            _keep(into / "juju" / name, ask().encode("utf-8", "surrogateescape"))
    for node in nodes:
        with suppress(LabError, tarfile.TarError, EOFError):
            packed = node.run(["sh", "-c", PACK, "sh", *LOGS], capture=True, check=False, timeout=MOST_SECONDS).stdout
            unpack(packed.encode("utf-8", "surrogateescape"), into / node.name)


def unpack(packed: bytes, into: Path) -> None:
    """Write the files of a compressed tar archive of /var/log into a directory."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            path = Path(member.name.removeprefix("var/log/"))
            if content and not path.is_absolute() and ".." not in path.parts:
                _keep(into / path, content.read())


def _keep(path: Path, content: bytes) -> None:
    files.write_atomic(path, content[-MOST_BYTES:])
