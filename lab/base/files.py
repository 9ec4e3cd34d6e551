"""Files: atomic writes, digests, and locks that die with their holder."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

MOST_OF_NAME = 60
"""Characters of a file's name in the name of its temporary file, which has at most 255 bytes as well."""


def write_atomic(path: Path, data: str | bytes, mode: int = 0o644) -> None:
    """Write a file atomically: a reader sees the old content or the new."""
    with _written_aside(path, mode) as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


def copy_atomic(source: Path, target: Path) -> None:
    """Copy a file's content: a reader of ``target`` sees its old content or all of the new."""
    with source.open("rb") as reader, _written_aside(target, 0o644) as writer:
        shutil.copyfileobj(reader, writer)


@contextmanager
def _written_aside(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """Give a file that becomes ``path`` at the end, on the disk; nothing is left of it after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:MOST_OF_NAME]}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # the error of a full disk does not name the file
        raise


AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


def exchange(one: Path, other: Path) -> None:
    """Exchange two files or directories of a file system in one step; see rename(2), RENAME_EXCHANGE.

    Where the file system cannot, ``other`` is away for an instant.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        return
    number = ctypes.get_errno()
    if number not in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        raise OSError(number, os.strerror(number), str(other))
    aside = other.with_name(f".{other.name}.old")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def sync(paths: Iterable[Path]) -> None:
    """Have files and directories on the disk before the caller goes on (fsync(2)): power may fail at any time."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_cache(path: Path, data: str, count: int) -> None:
    """Write a file of a cache, private to the user, and remove all but the ``count`` newest files with its suffix.

    Where that is impossible, nothing is kept: a cache saves time, and a read-only or full disk costs it.
    """
    with suppress(OSError):
        write_atomic(path, data, mode=0o600)
        _keep_newest(path.parent, f"*{path.suffix}", count)


def refresh(path: Path) -> None:
    """Count a file of a cache among its newest ones, where that is possible."""
    with suppress(OSError):
        os.utime(path)


def _keep_newest(directory: Path, pattern: str, count: int) -> None:
    dated = []
    for path in directory.glob(pattern):
        with suppress(FileNotFoundError):  # another process removes old files, too
            dated.append((path.stat().st_mtime, path))
    for _, old in sorted(dated, reverse=True)[count:]:
        old.unlink(missing_ok=True)


def end_of(path: Path, most: int) -> bytes:
    """Return the last bytes of a file."""
    with path.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - most))
        return stream.read(most)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, as lower-case hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# The time limit of a caller that does not wait: `is_locked` of another process holds a lock for an instant.
PATIENCE_SECONDS = 0.5


class Busy(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True, make: bool = True) -> Iterator[int]:
    """Hold a lock on ``path`` (flock(2)); yield its file descriptor.

    ``make``: its directory too; otherwise one that its owner has just removed is Busy.

    A child that is given the descriptor (``pass_fds``) keeps the lock while it lives, so that an
    orphan of a killed holder is never joined by a second worker.  Raises Busy when not to wait.
    """
    with _lock_file(path, make=make) as stream:
        operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        if wait:
            fcntl.flock(stream, operation)
        elif not _comes_free(stream, operation):
            raise Busy(str(path))
        yield stream.fileno()


def _lock_file(path: Path, *, make: bool) -> IO[Any]:
    """Open the file of a lock; on a read-only disk, one that is there."""
    try:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        if error.errno == errno.ENOENT and not make:
            raise Busy(str(path)) from None
        if error.errno != errno.EROFS or not path.exists():
            raise
        return path.open("rb")


def _comes_free(stream: IO[Any], operation: int) -> bool:
    last = time.monotonic() + PATIENCE_SECONDS
    while not _take(stream, operation):
        if time.monotonic() > last:
            return False
        time.sleep(0.01)
    return True


def _take(stream: IO[Any], operation: int) -> bool:
    try:
        fcntl.flock(stream, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Return whether a process holds the exclusive lock on ``path`` now.  Changes nothing on the disk."""
    try:
        with path.open("rb") as stream:
            return not _take(stream, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False
