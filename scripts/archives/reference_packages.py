"""What a new build is compared with: the last build in the lab's archive, else the distribution's packages."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from debian.deb822 import Packages

from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, run
from lab.config.description import Series
from lab.store.archive import ArchiveReader
from lab.store.step import architecture
from scripts.archives.series_index import built_from, newest_build, opened

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
    name: str, series: Series, source: str, *, machine: str, directory: Path, log: IO[str]
) -> Reference | None:
    """Download what a series and its pockets have of a source package for an architecture; None when they have nothing.

    Raises InfrastructureError when the mirror cannot be asked, or the packages cannot be downloaded.
    """
    try:
        with opened(name, series, log, machine) as index:
            index.update()
            build = of_machine(index.packages(source), machine)
            if not build:
                return None
            shutil.rmtree(directory, ignore_errors=True)  # of an earlier try
            directory.mkdir(parents=True)
            wanted = [f"{item['Package']}={item['Version']}" for item in build]
            run(["apt-get", *index.options, "download", *wanted], cwd=directory, log=log)
    except ProgramFailed as error:
        raise InfrastructureError(f"series {name}: {source} cannot be had: {error.result.complaint}") from None
    return Reference(name, str(build[0].source_version), tuple(sorted(directory.glob("*.deb"))))
