"""What a change of the archive and a promotion cost, by the number of packages in it, and the disk space of states.

The packages are real, small ones: two of each source package.  A change adds a new version of one source package with
its source files, as the step archive does; the archive is opened for it, and locked, checked and signed.  Seconds are
medians, of the CPU and of the wall.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import IO

import click
from rich.console import Console
from rich.table import Table

from lab.base import environment
from lab.config.description import Lab
from lab.store.records import rfc3339
from scripts.archives import lab_archive, labels, retention, stanzas, versions
from scripts.archives.lab_archive import LabArchive
from scripts.archives.labels import Reasons
from scripts.archives.stanzas import Stanza
from scripts.archives.versions import PoolVersion
from tests.archives import deb

LAB = Lab.model_validate({
    "lab": {"name": "bench", "maintainer": "Bench <bench@lab.example>"}, "series": {"bookworm": {}},
    "tracks": {"trunk": {"series": "bookworm"}}, "components": {"greet": {}}, "archive": {"states": {"keep": 500}},
})  # fmt: skip
SIZES = (100, 1000, 5000)
DSC = """\
Format: 3.0 (quilt)
Source: {source}
Binary: {source}, {source}-doc
Architecture: all
Version: {version}
Maintainer: Bench <bench@lab.example>
Homepage: https://upstream.example/{source}
Standards-Version: 4.6.2
Build-Depends: debhelper-compat (= 13), python3-all, python3-setuptools
Package-List:
 {source} deb misc optional arch=all
 {source}-doc deb doc optional arch=all
Checksums-Sha256:
{sha256}Files:
{md5}"""


def quickly(path: Path, place: str) -> Stanza:
    """Return the stanza of a package of this bench, without dpkg-deb."""
    data = path.read_bytes()
    control = data[data.index(b"Package: ") :].partition(b"\0")[0].decode()
    digest = hashlib.sha256(data).hexdigest()
    return stanzas.parsed("binary", f"{control}Filename: {place}\nSize: {len(data)}\nSHA256: {digest}\n")


def built(home: Path, source: str, version: str, *, real: bool = True) -> tuple[list[Stanza], dict[str, Path]]:
    """Write the packages of a version; return their stanzas, and the files by name."""
    files = [
        deb(home / f"{name}_{version}_all.deb", name, version, source=source) for name in (source, f"{source}-doc")
    ]
    rows = {"sha256": "", "md5": ""}
    for name in (f"{source}_{version}.orig.tar.gz", f"{source}_{version}.debian.tar.xz"):
        (home / name).write_bytes(name.encode())
        files.append(home / name)
        for algorithm in rows:
            digest = hashlib.new(algorithm, name.encode(), usedforsecurity=False).hexdigest()
            rows[algorithm] += f" {digest} {len(name)} {name}\n"
    dsc = home / f"{source}_{version}.dsc"
    dsc.write_text(DSC.format(source=source, version=version, **rows))
    place = versions.directory(source)
    read = stanzas.of_binary if real else quickly
    found = [read(path, f"{place}/{path.name}") for path in files if path.suffix == ".deb"]
    found.append(stanzas.of_source(dsc, place, "misc", "optional"))
    return found, {path.name: path for path in [*files, dsc]}


def put(archive: LabArchive, added: list[Stanza], files: dict[str, Path]) -> None:
    """Enter a version into the pool, as the step archive does."""
    record = PoolVersion.of(added, added=rfc3339(environment.now()))
    versions.add_files(archive.root, files, record.files, record.source)
    archive.record("trunk", record)


@contextmanager
def opened(log: IO[str]) -> Iterator[LabArchive]:
    with lab_archive.opened(LAB, log) as archive:
        yield archive


def fill(home: Path, size: int, log: IO[str]) -> None:
    """Make an archive with so many binary packages, in one state."""
    with opened(log) as archive:
        content = archive.content("trunk")
        everything: list[Stanza] = []
        for number in range(size // 2):
            added, files = built(home, f"package-{number:05}", "1.0-1", real=False)
            put(archive, added, files)
            everything += added
            for path in files.values():
                path.unlink()
        archive.commit("trunk", content.with_version(everything), "fill")


def change(home: Path, number: int, log: IO[str]) -> None:
    added, files = built(home, f"package-{number % 50:05}", f"1.0-{number + 2}")
    with opened(log) as archive:
        put(archive, added, files)
        archive.commit("trunk", archive.content("trunk").with_version(added), f"change {number}")
        retention.removable(archive)


def promote(log: IO[str]) -> None:
    with opened(log) as archive:
        labels.move(archive, "promotion", "trunk-tested", "", Reasons("bench"))


def cpu() -> float:
    """Return the CPU seconds of this process and its children that ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def seconds(action: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds that an action takes, of the CPU and of the wall."""
    spent, began = cpu(), time.perf_counter()
    action()
    return cpu() - spent, time.perf_counter() - began


def medians(name: str, rows: list[tuple[float, float]]) -> dict[str, float]:
    return {f"{name}_cpu": median(row[0] for row in rows), name: median(row[1] for row in rows)}


def space(root: Path) -> int:
    """Return the bytes that files take on the disk, each once."""
    found = {(info.st_dev, info.st_ino): info.st_blocks * 512 for path in root.rglob("*") if (info := path.lstat())}
    return sum(found.values())


def measure(size: int, rounds: int, states: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="qalab-bench-", dir="/var/tmp") as directory:
        home = Path(directory)
        os.environ["XDG_STATE_HOME"] = str(home / "state")
        with (home / "log").open("w") as log:
            fill(home, size, log)
            root = home / "state/qalab/bench/archive"
            changed, promoted = [], []
            for number in range(rounds):
                changed.append(seconds(lambda number=number: change(home, number, log)))  # type: ignore[misc]
                promoted.append(seconds(lambda: promote(log)))
            found = medians("change", changed) | medians("promotion", promoted)
            if states:
                before, pool = space(root), space(root / "pool") + space(root / "versions")
                for number in range(rounds, rounds + states):
                    change(home, number, log)
                own = space(root) - before - (space(root / "pool") + space(root / "versions") - pool)
                last = [seconds(lambda number=number: change(home, number, log)) for number in range(1000, 1005)]  # type: ignore[misc]
                found |= {"megabytes_a_state": own / states / 1e6, **medians("change_with_states", last)}
                found |= medians("gc", [seconds(lambda: collect(log))])
            return found


def collect(log: IO[str]) -> None:
    with opened(log) as archive:
        retention.collect(archive)


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="How often each is done.")
@click.option(
    "--states", default=200, show_default=True, type=click.IntRange(0), help="The states whose space is measured."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(*, rounds: int, states: int, as_json: bool) -> None:
    found = {size: measure(size, rounds, states if size == SIZES[-1] else 0) for size in SIZES}
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Table("packages", "change, s of CPU (wall)", "promotion", "MB a state", "change with all states", "gc")
    timed = ("change", "promotion", "megabytes_a_state", "change_with_states", "gc")
    for size, row in found.items():
        cells = {name: f"{row[name]:.2f}" for name in row if not name.endswith("_cpu")}
        cells |= {name: f"{row[f'{name}_cpu']:.2f} ({cell})" for name, cell in cells.items() if f"{name}_cpu" in row}
        table.add_row(str(size), *(cells.get(name, "") for name in timed))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
