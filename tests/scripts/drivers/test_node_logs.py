"""Logs of nodes: their end, whatever their size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.base.run import Result, run
from scripts.drivers import node_logs


@dataclass(frozen=True)
class Node:
    """A node whose /var/log is a directory of this machine."""

    logs: Path
    name: str = "node0"

    def run(self, argv: Any, **options: Any) -> Result:
        if "journalctl" in str(argv[-1]):
            argv = [
                "sh",
                "-c",
                str(argv[-1]).replace("journalctl --no-pager --output=short-iso --boot", "yes | head --bytes=3M"),
            ]
        result = run([str(word).replace("/var/log", str(self.logs)) for word in argv], **options)
        return replace(result, stdout=result.stdout.replace(str(self.logs), "/var/log"))


def test_end_of_a_long_log_is_kept(tmp_path: Path) -> None:
    """A program that logs without end fills neither the memory nor the disk of this machine."""
    (tmp_path / "log/sub").mkdir(parents=True)
    (tmp_path / "log/sub/long.log").write_bytes(b"x" * node_logs.MOST_BYTES + b"the end")
    (tmp_path / "log/-n.log").write_bytes(b"caf\xe9")
    (tmp_path / "log/empty.log").touch()
    node: Any = Node(tmp_path / "log")
    node_logs.collect([node], tmp_path / "into")
    into = tmp_path / "into/node0"
    assert sorted(path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()) == [
        "-n.log", "journal.log", "sub/long.log",
    ]  # fmt: skip
    long = (into / "sub/long.log").read_bytes()
    assert (len(long), long[-8:]) == (node_logs.MOST_BYTES, b"xthe end")
    assert (into / "-n.log").read_bytes() == b"caf\xe9"
    assert (into / "journal.log").stat().st_size == node_logs.MOST_BYTES
