"""Logs of nodes in any state: the journal, and the files below /var/log."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lab.base import files
from lab.base.errors import LabError
from lab.base.run import ProgramFailed
from scripts.drivers.interfaces import Node

MOST_BYTES = 2_000_000  # of one log; its end is the most informative part
JOURNAL = f"journalctl --no-pager --output=short-iso --boot | tail --bytes={MOST_BYTES}"
TAIL = ("tail", f"--bytes={MOST_BYTES}", "--")
LOGS = ["find", "/var/log", "-type", "f", "-size", "+0", "-not", "-path", "/var/log/journal/*", "-not", "-name", "*.[gx]z",
        "-not", "-name", "wtmp", "-not", "-name", "lastlog"]  # fmt: skip


def collect(nodes: Iterable[Node], into: Path) -> None:
    """Below ``into``, in a directory for each node: ``journal.log``, and files called as they are there."""
    for node in nodes:
        with suppress(LabError):  # a node that does not answer does not prevent the others
            journal = node.run(["sh", "-c", JOURNAL], capture=True, check=False)
            _write(into / node.name / "journal.log", journal.stdout)
            for path in node.run(LOGS, capture=True).stdout.splitlines():
                with suppress(ProgramFailed):  # rotated away just now
                    _write(
                        into / node.name / path.removeprefix("/var/log/"), node.run([*TAIL, path], capture=True).stdout
                    )


def _write(path: Path, text: str) -> None:
    files.write_atomic(path, text.encode("utf-8", "surrogateescape")[-MOST_BYTES:])
