"""The files of a run that another machine hands over: a directory, a tar file or a zip file, copied with limits.

Only ``run.json``, ``results`` and ``out`` are taken.  Links, devices and names that lead elsewhere are refused.
"""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Final

from lab.base.errors import InfrastructureError

MOST_FILES: Final = 100_000
MOST_BYTES: Final = 50 * 10**9
BLOCK: Final = 2**20
# A name as qalab and dpkg write it; no part is empty, "." or "..".
NAME: Final = re.compile(r"(?:run\.json|(?:results|out)(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f\\]+)+)")
Entry = tuple[str, IO[bytes]]


def copy(source: Path, target: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
    """Copy the files of a run from a directory or an archive file into ``target``, which must not exist.

    Raises InfrastructureError for what is no run, and beyond the limits.
    """
    left = most_bytes
    target.mkdir(parents=True)
    for count, (name, stream) in enumerate(_entries(source), 1):
        if count > most_files:
            raise InfrastructureError(f"{source}: has more than {most_files} files")
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as out:
                while block := stream.read(BLOCK):
                    left -= len(block)  # counted as read: the size that an archive file names can be wrong
                    if left < 0:
                        raise InfrastructureError(f"{source}: has more than {most_bytes} bytes")
                    out.write(block)
        except OSError as error:
            raise InfrastructureError(f"{source}: {name}: {error.strerror or error}") from None
    if not (target / "run.json").is_file():
        raise InfrastructureError(f"{source}: has no run.json: it is no run directory")


def _entries(source: Path) -> Iterator[Entry]:
    if source.is_dir():
        yield from _of_directory(source)
        return
    try:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                yield from _of_zip(source, archive)
        else:
            with tarfile.open(source) as archive:
                yield from _of_tar(source, archive)
    except FileNotFoundError:
        raise InfrastructureError(f"{source}: does not exist") from None
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError) as error:
        raise InfrastructureError(f"{source}: cannot be read as a directory, tar or zip file: {error}") from None


def _of_directory(source: Path) -> Iterator[Entry]:
    for path in sorted(source.rglob("*")):
        name = str(path.relative_to(source))
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            if name.split("/", maxsplit=1)[0] in {"run.json", "results", "out"}:
                raise _no_file(source, name)
        elif path.is_file() and _is_taken(source, name):
            with path.open("rb") as stream:
                yield name, stream


def _of_tar(source: Path, archive: tarfile.TarFile) -> Iterator[Entry]:
    top: str | None = None
    for member in archive:
        name = member.name.removeprefix("./")
        if member.isdir():
            continue
        top = _top(name) if top is None else top
        inner = name.removeprefix(top)
        if not member.isreg():
            raise _no_file(source, name)
        if _is_taken(source, inner) and (stream := archive.extractfile(member)):
            with closing(stream):
                yield inner, stream


def _of_zip(source: Path, archive: zipfile.ZipFile) -> Iterator[Entry]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    top = _top(members[0].filename) if members else ""
    for member in members:
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise _no_file(source, member.filename)
        inner = member.filename.removeprefix(top)
        if _is_taken(source, inner):
            with archive.open(member) as stream:
                yield inner, stream


def _top(name: str) -> str:
    """Return the directory that all files of an archive file are in, by the first of them: Jenkins' is ``archive/``."""
    return "" if NAME.fullmatch(name) or "/" not in name else f"{name.partition('/')[0]}/"


def _is_taken(source: Path, name: str) -> bool:
    """Return whether a file is of the run.  Raises InfrastructureError for a name that leads elsewhere."""
    if NAME.fullmatch(name):
        return True
    if name.startswith("/") or ".." in name.split("/") or name.split("/", maxsplit=1)[0] in {"results", "out"}:
        raise InfrastructureError(f"{source}: {name!r} is no name of a file in a run")
    return False


def _no_file(source: Path, name: str) -> InfrastructureError:
    return InfrastructureError(f"{source}: {name!r} is a link or a special file")
