"""What a new build is compared with: the last build in the lab's archive, else the distribution's packages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from debian.deb822 import Packages
from debian.debian_support import Version

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, run
from lab.config import apt
from lab.config.description import Series
from lab.store.step import architecture
from scripts.archives.private_apt import own_apt

CAT = "/usr/lib/apt/apt-helper"
INDICES = ("main/binary-{}/Packages", "main/debian-installer/binary-{}/Packages")


@dataclass(frozen=True)
class Reference:
    """The binary packages of an earlier build; ``origin`` is the track or series that has them."""

    origin: str
    version: str
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        return f"{self.version} of {self.origin}"


def built_from(index: str, source: str) -> list[Packages]:
    """Return the paragraphs of a Packages file about packages of a source package, without debugging symbols."""
    # A whole distribution has tens of thousands; to parse each would take half a minute.
    name = re.escape(source)
    likely = re.compile(rf"^(?:Package: {name}|Source: {name}(?: \(.*\))?)$", re.MULTILINE)
    text = "\n\n".join(paragraph for paragraph in index.split("\n\n") if likely.search(paragraph))
    found = Packages.iter_paragraphs(text, use_apt_pkg=False)
    return [item for item in found if item.source == source and not item["Package"].endswith("-dbgsym")]


def newest_build(packages: Iterable[Packages]) -> list[Packages]:
    """Return the packages of the newest version of their source, each once."""
    known = list(packages)
    newest = max((Version(str(item.source_version)) for item in known), default=None)
    build = {item["Package"]: item for item in known if Version(str(item.source_version)) == newest}
    return [build[name] for name in sorted(build)]


def last_build(root: Path, track: str, source: str) -> Reference | None:
    """Return what an archive at ``root`` has of a source package; None when it has nothing.

    Raises InfrastructureError when the archive lists a file that it does not have.
    """
    names = (root / "dists" / track / name.format(architecture()) for name in INDICES)
    build = newest_build(item for path in names if path.exists() for item in built_from(path.read_text(), source))
    if not build:
        return None
    paths = tuple(root / item["Filename"] for item in build)
    for path in paths:
        if not path.is_file():
            raise InfrastructureError(f"the lab's archive lists {path.name}, and does not have it")
    return Reference(track, str(build[0].source_version), paths)


def distribution_build(name: str, series: Series, source: str, directory: Path, log: IO[str]) -> Reference | None:
    """Download what a series and its pockets have of a source package; None when they have nothing.

    Raises InfrastructureError when the mirror cannot be asked, or the packages cannot be downloaded.
    """
    home = environment.cache_home() / "reference" / name
    with files.locked(home / "lock"):
        options = [*own_apt(home, apt.sources(name, series)), f"-oAPT::Architectures={architecture()}"]
        try:
            run(["apt-get", *options, "update", "--error-on=any"], log=log)
            build = newest_build(item for index in _indices(options, log) for item in built_from(index, source))
            if not build:
                return None
            shutil.rmtree(directory, ignore_errors=True)  # of an earlier try
            directory.mkdir(parents=True)
            wanted = [f"{item['Package']}={item['Version']}" for item in build]
            run(["apt-get", *options, "download", *wanted], cwd=directory, log=log)
        except ProgramFailed as error:
            raise InfrastructureError(f"series {name}: {source} cannot be had: {error.result.complaint}") from None
    return Reference(name, str(build[0].source_version), tuple(sorted(directory.glob("*.deb"))))


def _indices(options: Iterable[str], log: IO[str]) -> Iterator[str]:
    form = ["--format", "$(FILENAME)", "Created-By: Packages"]
    for path in run(["apt-get", *options, "indextargets", *form], log=log, capture=True).stdout.splitlines():
        yield run([CAT, "cat-file", path], capture=True).stdout  # it may be compressed
