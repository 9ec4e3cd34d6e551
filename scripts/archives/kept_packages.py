"""The files of mirrors that this machine keeps, for `scripts.archives.mirror_cache`.

::

    CACHE/packages/HOST/PATH           a file as the mirror had it last, with the mirror's date
    CACHE/packages/HOST/PATH.seen      of an index: when the mirror last said that it is so
    CACHE/packages/HOST/PATH.absent    of a file that the mirror does not have, such as a form of an index
    CACHE/packages/.qalab-counts/DAY   bytes that apt asked for, and bytes of them from here: a line for each file
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final, NamedTuple
from urllib.parse import SplitResult

from lab.base import environment
from scripts.archives import kept_indices

UNUSED: Final = timedelta(days=45)
UNFINISHED: Final = timedelta(days=1)
BLOCK: Final = 2**17
LONGEST_NAME: Final = 255 - len(".absent")
OWN: Final = ".qalab-"
"""The beginning of names that no mirror has."""
COUNTS: Final = f"{OWN}counts"


def home() -> Path:
    """Return where files are kept."""
    return environment.cache_home() / "packages"


def place(asked: SplitResult) -> Path | None:
    """Return where a file is kept; None for a URL of something else, such as a directory or a page."""
    # A repository without a structure has the directory ".".
    parts = [asked.netloc, *(each for each in asked.path.split("/") if each not in {"", "."})]
    odd = any(each == ".." or each.startswith(OWN) or len(os.fsencode(each)) > LONGEST_NAME for each in parts)
    if odd or asked.scheme != "http" or asked.query or "@" in asked.netloc or asked.path.endswith(("/", "/.")):
        return None
    return home().joinpath(*parts)


def named_by_content(place: Path) -> bool:
    """Return whether a file's name says what is in it, so that there is never a newer one."""
    return place.parent.parent.name == "by-hash" and place.parent.name in kept_indices.DIGESTS


def usable(place: Path) -> bool:
    """Return whether a file is kept, and is what its name says: a machine that lost its power can leave another one."""
    with suppress(OSError):
        return place.is_file() and has_content_of(place, place)
    return False


def has_content_of(path: Path, place: Path) -> bool:
    """Return whether a file can be kept at a place: if that is named by content, it has this content."""
    if not named_by_content(place):
        return True
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, kept_indices.DIGESTS[place.parent.name]).hexdigest() == place.name


@contextmanager
def new_file(place: Path | None) -> Iterator[IO[bytes] | None]:
    """Yield a file beside a place, which is removed unless somebody moves it there; None where none can be made."""
    try:
        if place is None:
            yield None
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        stream = tempfile.NamedTemporaryFile(prefix=OWN, dir=place.parent, delete=False, buffering=BLOCK)  # noqa: SIM115 - closed below
    except OSError:
        yield None
        return
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()
        Path(stream.name).unlink(missing_ok=True)


def keep(stream: IO[bytes], place: Path, date: float | None) -> None:
    """Keep a whole file with the mirror's date, a Unix time, where that is possible."""
    with suppress(OSError, OverflowError):
        stream.flush()
        if has_content_of(Path(stream.name), place):
            os.utime(stream.name, (environment.now().timestamp(), date or 0))
            kept_indices.set_aside(place)
            Path(stream.name).replace(place)
            see(place)
            _absent(place).unlink(missing_ok=True)


def use(place: Path, date: float) -> None:
    """Note that a file is used, by the date of its last change: see utime(2)."""
    with suppress(OSError):
        os.utime(place, (environment.now().timestamp(), date))


def see(place: Path) -> None:
    """Note that the mirror has a kept file so, if it is an index."""
    if place.name in kept_indices.RELEASES:
        with suppress(OSError):
            kept_indices.seen(place).touch()


def miss(place: Path) -> None:
    """Note that the mirror does not have a file: apt takes another form of an index then, and no answer is an error."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        _absent(place).touch()


def is_missed(place: Path) -> bool:
    """Return whether the mirror did not have a file."""
    with suppress(OSError):
        return _absent(place).exists()
    return False


def _absent(place: Path) -> Path:
    return place.with_name(f"{place.name}.absent")


def last_seen(place: Path) -> datetime:
    """Return when the mirror last had a kept index."""
    seen = kept_indices.seen(place)
    return datetime.fromtimestamp((seen if seen.exists() else place).stat().st_mtime, UTC)


def prune() -> None:
    """Remove what nobody has asked for in a long time, and what killed processes have left, once a day."""
    now, stamp = environment.now().timestamp(), home() / "pruned"
    with suppress(OSError):
        if stamp.exists() and now - stamp.stat().st_mtime < timedelta(days=1).total_seconds():
            return
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        for path in [path for path in home().rglob("*") if path.is_file() and path != stamp]:
            lasts = UNFINISHED if path.name.startswith(OWN) else UNUSED
            if now - path.stat().st_ctime > lasts.total_seconds():
                path.unlink(missing_ok=True)


def bound(most: int, *, dry_run: bool = False) -> int:
    """Remove what was used least recently, until the kept files have at most some bytes; return the bytes removed."""
    found = []
    for path in _files():
        with suppress(OSError):  # another process has just removed it
            if size := (status := path.lstat()).st_size:  # notes take no room
                found.append((status.st_ctime_ns, path, size))
    over = sum(size for *_, size in found) - most
    removed = 0
    for _, path, size in sorted(found):
        if removed >= over:
            break
        with suppress(OSError):
            if not dry_run:
                path.unlink()
            removed += size
    return removed


class Savings(NamedTuple):
    """What apt asked for since a day, in bytes; ``kept``: of all files."""

    since: str
    asked: int
    from_here: int
    kept: int


def count(asked: int, from_here: int) -> None:
    """Count a file that apt has got."""
    path = home() / COUNTS / f"{environment.now():%Y-%m-%d}"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:  # a short line is written at once, whoever else writes
            stream.write(f"{asked} {from_here}\n")


def _files() -> Iterator[Path]:
    """Yield the kept files, as far as they can be listed."""
    with suppress(OSError):
        yield from (path for path in home().rglob("*") if COUNTS not in path.parts and path.is_file())


def savings() -> Savings | None:
    """Return what the kept files have saved since the oldest count; None without any."""
    counts = sorted((home() / COUNTS).glob("*"))
    asked = from_here = 0
    for path in counts:
        with suppress(OSError):
            for words in map(str.split, path.read_text(errors="replace").splitlines()):
                if [word.isdecimal() for word in words] == [True, True]:  # a line of a full disk is cut
                    asked, from_here = asked + int(words[0]), from_here + int(words[1])
    if not counts:
        return None
    kept = 0
    for path in _files():
        with suppress(OSError):
            kept += path.lstat().st_size
    return Savings(counts[0].name, asked, from_here, kept)
