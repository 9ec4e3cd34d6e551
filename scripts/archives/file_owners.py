"""Which packages of a series have a file, by its Contents indices (https://wiki.debian.org/RepositoryFormat).

The indices are large (45 MB of Debian's main), and are downloaded by an apt of their own: only when somebody asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import IO, Final

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, run
from lab.config import apt
from lab.config.description import Series
from lab.store.step import architecture
from scripts.archives.package_content import MERGED
from scripts.archives.private_apt import own_apt
from scripts.archives.series_index import CAT

TARGETS: Final = {
    "Contents-deb": {
        "MetaKey": "$(COMPONENT)/Contents-$(ARCHITECTURE)",
        "flatMetaKey": "Contents-$(ARCHITECTURE)",
        "ShortDescription": "Contents-$(ARCHITECTURE)",
        "Description": "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents",
    },
    # Of Ubuntu, and of older archives.
    "Contents-release": {
        "MetaKey": "Contents-$(ARCHITECTURE)",
        "ShortDescription": "Contents-$(ARCHITECTURE)",
        "Description": "$(RELEASE) $(ARCHITECTURE) Contents",
        "Fallback-Of": "Contents-deb",
    },
}
SEARCH: Final = f'{CAT} cat-file "$@" | {{ grep --fixed-strings --file="$0" || [ $? = 1 ]; }}'


def owners(name: str, series: Series, paths: Collection[str], log: IO[str]) -> dict[str, set[str]] | None:
    """Return the packages of a series and its pockets that have one of these files, by path.

    None where the mirror has no such indices.  ``paths`` are those of `BinaryContent.files`.  Raises
    InfrastructureError when the mirror cannot be asked.
    """
    home, sources = environment.cache_home() / "contents" / name, apt.sources(name, series)
    with files.locked(home / "lock"):
        settings = (f"{target}::{key}={value}" for target, keys in TARGETS.items() for key, value in keys.items())
        options = [
            *own_apt(home, sources),
            f"-oAPT::Architectures={architecture()}",
            "-oAcquire::IndexTargets::deb::Packages::DefaultEnabled=false",
            *(f"-oAcquire::IndexTargets::deb::{setting}" for setting in settings),
        ]
        try:
            run(["apt-get", *options, "update", "--error-on=any"], log=log)
            form = ["indextargets", "--format", "$(FILENAME)"]
            listed = [run(["apt-get", *options, *form, f"Created-By: {each}"], capture=True).stdout for each in TARGETS]
            indices = "".join(listed).split()
            if not indices:
                return None
            wanted = home / "wanted"
            files.write_atomic(wanted, "".join(f"{path.removeprefix('usr/')}\n" for path in paths))
            found = run(["bash", "-o", "pipefail", "-c", SEARCH, wanted, *indices], capture=True, log=log).stdout
        except ProgramFailed as error:
            raise InfrastructureError(
                f"series {name}: the Contents indices cannot be had: {error.result.complaint}"
            ) from None
    result: dict[str, set[str]] = {}
    for path, package in _rows(found):
        if path in paths:
            result.setdefault(path, set()).add(package)
    return result


def _rows(contents: str) -> Iterator[tuple[str, str]]:
    """Yield paths (see `BinaryContent.files`) and packages: ``usr/bin/a  utils/one,utils/two`` is of two packages."""
    for line in contents.splitlines():
        path, *locations = line.rsplit(maxsplit=1)
        for location in ",".join(locations).split(","):
            yield MERGED.sub("usr/", path), location.rpartition("/")[2]
