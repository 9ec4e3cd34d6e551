"""Remnants of an environment on this machine, each one named.

The answer comes from the kernel, not from the driver: processes that see a mount of the directory (this includes its
namespaces, which exist through their processes and mounts), control groups, links, loop devices, files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lab.base.run import run
from scripts.drivers.nspawn.keeper import BRIDGE, CGROUPS, group_prefix


def left_by(home: Path) -> list[str]:
    """Return a line for each remnant of the environments below a directory, except the directory itself."""
    return sorted({*_processes(home), *_groups(home), *_links(), *_loops(home), *_files(home)})


def _processes(home: Path) -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ends just now
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            mounted = f"{home}/" in (path / "mountinfo").read_text(errors="replace")
            machine = words.startswith("qemu-system") and (path / "cwd").readlink().is_relative_to(home)
            if mounted or machine or (f"{home}/" in words and "unshare" in words):
                yield f"process {path.name}: {words[:80]}"


def _groups(home: Path) -> Iterator[str]:
    for hierarchy in (*(CGROUPS / name for name in ("systemd", "unified", "memory")), CGROUPS):
        yield from (f"control group {path}" for path in hierarchy.glob(f"{group_prefix(home / '*')}*"))


def _links() -> Iterator[str]:
    for link in json.loads(run(["ip", "-json", "link"], capture=True).stdout):
        if link["ifname"] == BRIDGE or link["ifname"].startswith("vb-"):
            yield f"link {link['ifname']}"


def _loops(home: Path) -> Iterator[str]:
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            if path.read_text().startswith(f"{home}/"):
                yield f"loop device {path.parts[3]}"


def _files(home: Path) -> Iterator[str]:
    yield from (f"file {path}" for path in (home.iterdir() if home.exists() else ()))
