"""What a new build is compared with: the last build in the lab's archive, and the distribution's packages."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from debian.deb822 import Packages

from lab.base.errors import InfrastructureError
from lab.base.files import write_atomic
from lab.base.run import ProgramFailed, run
from lab.config.description import Series
from lab.store.archive import ArchiveReader
from lab.store.step import architecture
from scripts.archives.series_index import SeriesIndex, built_from, newest_build, opened, refreshed

INDICES = ("main/binary-{}/Packages", "main/debian-installer/binary-{}/Packages")


@dataclass(frozen=True)
class Reference:
    """The binary packages of an earlier build; ``origin`` is the track or series that has them."""

    origin: str
    version: str
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        return f"{self.version} of {self.origin}"


def last_build(reader: ArchiveReader, track: str, source: str, *, machine: str, directory: Path) -> Reference | None:
    """Return what the lab's archive has of a source package for an architecture; None when it has nothing.

    ``directory``: for the packages of an archive on another machine.
    Raises InfrastructureError when the archive lists a file that it does not have.
    """
    texts = (reader.index(track, name.format(machine)) for name in INDICES)
    build = newest_build(item for text in texts for item in of_machine(built_from(text, source), machine))
    if not build:
        return None
    paths = tuple(reader.file(item["Filename"], item["SHA256"], directory) for item in build)
    return Reference(track, str(build[0].source_version), paths)


def of_machine(packages: Iterable[Packages], machine: str) -> list[Packages]:
    """Return the packages that a build for an architecture makes: with those for all on this machine, else without."""
    return [item for item in packages if item["Architecture"] == machine or machine == architecture()]


def distribution_build(  # noqa: PLR0913 - what is compared, by name
    name: str, series: Series, source: str, *, machine: str, directory: Path, log: IO[str], fresh: bool = True
) -> Reference | None:
    """Return what a series and its pockets have of a source package for an architecture; None when they have nothing.

    ``directory`` gets the packages; the cache keeps them for the next build.  ``fresh``: the mirror's indices are read
    again; else they may be an hour old, and older where the mirror does not answer.
    Raises InfrastructureError when the mirror cannot be asked, or the packages cannot be downloaded.
    """
    try:
        with opened(name, series, log, machine) as index:
            doubt = ""
            if fresh:
                index.update()
            else:
                doubt = refreshed(index)
            if not index.stamp.exists():
                raise InfrastructureError(f"series {name}: {source} cannot be had: {doubt}")
            found = _cached(index, source, machine)
            shutil.rmtree(directory, ignore_errors=True)  # of an earlier try
            directory.mkdir(parents=True)
            paths = [shutil.copy(path, directory) for path in found.paths]
    except ProgramFailed as error:
        raise InfrastructureError(f"series {name}: {source} cannot be had: {error.result.complaint}") from None
    return Reference(name, found.version, tuple(map(Path, paths))) if paths else None


def _cached(index: SeriesIndex, source: str, machine: str) -> Reference:
    """Return the newest packages of a source in the cache; download them if they are not there."""
    home = index.home / "packages" / source
    note, date = home / f"{index.stamp.name}.json", index.stamp.stat().st_mtime
    known = json.loads(note.read_text()) if note.exists() else {}
    if known.get("date") != date:
        build = of_machine(index.packages(source), machine)
        wanted = [f"{item['Package']}={item['Version']}" for item in build]
        known = {"date": date, "version": str(build[0].source_version) if build else "", "wanted": wanted}
    place = home / hashlib.sha256(" ".join(known["wanted"]).encode()).hexdigest()[:12]
    if not place.exists():
        shutil.rmtree(home, ignore_errors=True)  # older versions, and what was left by a download that was killed
        new = home / "new"
        new.mkdir(parents=True)
        if known["wanted"]:
            run(["apt-get", *index.options, "download", *known["wanted"]], cwd=new, log=index.log)
        new.rename(place)
    write_atomic(note, json.dumps(known))
    return Reference("", known["version"], tuple(sorted(place.glob("*.deb"))))
