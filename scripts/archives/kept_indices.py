"""Kept indices that belong together: a release file, and the files whose digests it lists.

A mirror changes while it is read, and can be away when the rest is asked for.  So of each index the one before is kept too:

::

    DIRECTORY/NAME.former      the index before, as far as it was whole
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

RELEASES: Final = ("InRelease", "Release")
SIGNATURE: Final = "Release.gpg"
LISTS: Final = ("Packages", "Sources")
# By the names of fields, and of directories below by-hash: see the repository format of Debian.
DIGESTS: Final = {"MD5Sum": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}


def former(place: Path) -> Path:
    """Return where the index before the one at a place is kept."""
    return place.with_name(f"{place.name}.former")


def seen(place: Path) -> Path:
    """Return the file whose date is when the mirror last said that a release file is so."""
    return place.with_name(f"{place.name}.seen")


def release_over(place: Path) -> Path | None:
    """Return the kept release file that an index is of; None for other files, such as packages."""
    if place.parent.name in DIGESTS:
        return None
    found = (parent / name for parent in place.parents for name in RELEASES if (parent / name).is_file())
    release = next(found, None)
    return release if release and _path(place, release) in listed(release) else None


def listed(release: Path) -> Mapping[str, Mapping[str, str]]:
    """Return the digests in a release file, by path and field; none of a damaged one."""
    with suppress(OSError):
        status = release.stat()
        return _listed(release, status.st_mtime_ns, status.st_size)
    return {}


@lru_cache(maxsize=64)
def _listed(release: Path, *_: int) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    field = ""
    for line in release.read_text(errors="replace").splitlines():
        if not line.startswith(" "):
            field = line.rstrip().removesuffix(":")
        elif field in DIGESTS and len(row := line.split()) == 3:  # noqa: PLR2004 - digest, size, path
            found.setdefault(row[2], {})[field] = row[0]
    return found


def belonging(place: Path, release: Path) -> Path | None:
    """Return the kept version of an index that a release file lists; None where none is kept."""
    digests = listed(release).get(_path(place, release), {})
    if not digests:
        return None
    field, digest = max(digests.items(), key=lambda each: [*DIGESTS].index(each[0]))
    for each in (place, former(place)):
        with suppress(OSError), each.open("rb") as stream:
            if hashlib.file_digest(stream, DIGESTS[field]).hexdigest() == digest:
                return each
    return None


def whole(release: Path) -> bool:
    """Return whether the lists of packages that clients read before are kept as a release file has them."""
    before = listed(former(release))
    wanted = [path for path in before if path.rpartition("/")[2].startswith(LISTS) and path in listed(release)]
    return all(any(_versions(release, path)) for path in wanted if any(_versions(former(release), path)))


def _versions(release: Path, path: str) -> Iterator[Path]:
    """Yield the kept files that a release file means by a path."""
    place = release.parent / path
    for field, digest in listed(release).get(path, {}).items():
        hashed = place.parent / "by-hash" / field / digest
        if hashed.is_file():
            yield hashed
    if found := belonging(place, release):
        yield found


def to_serve(place: Path) -> Path:
    """Return the version of a release file, or of its signature, for clients while the mirror is away: the newest useful one."""
    release = place.with_name("Release") if place.name == SIGNATURE else place
    return former(place) if former(release).is_file() and not whole(release) else place


def set_aside(place: Path) -> None:
    """Keep an index beside the one that is to replace it; not a release file that is of no use while the mirror is away."""
    if place.name not in RELEASES:
        if release_over(place):
            _link(place, former(place))
    elif place.is_file() and whole(place):
        date = (seen(place) if seen(place).exists() else place).stat().st_mtime
        seen(former(place)).touch()
        os.utime(seen(former(place)), (date, date))
        for each in (place, place.with_name(SIGNATURE))[: 1 + (place.name == "Release")]:
            _link(each, former(each))


def _link(path: Path, to: Path) -> None:
    with suppress(OSError):  # such as a file system without links
        to.unlink(missing_ok=True)
        os.link(path, to)


def _path(place: Path, release: Path) -> str:
    return place.relative_to(release.parent).as_posix()
