"""Atomic writes that survive a kill, and locks that die with their holder."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path
from typing import IO, Any

import pytest

from lab.base import files
from lab.base.run import output
from tests.processes import python, wait_for

WRITER = """
import sys
from pathlib import Path
from lab.base import files
path = Path(sys.argv[1])
while True:
    for letter in "ab":
        files.write_atomic(path, letter * 8_000_000)
"""
HOLDER = """
import sys
from pathlib import Path
from lab.base import files
with files.locked(Path(sys.argv[1]), shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""
POLLER = """
import sys
from pathlib import Path
from lab.base import files
print("polls", flush=True)
while True:
    files.is_locked(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("data, mode", [("é\n", 0o644), (b"\xff\x00", 0o600), ("", 0o755)])
def test_write_atomic_replaces_content_and_mode(tmp_path: Path, data: str | bytes, mode: int) -> None:
    path = tmp_path / "new" / "below" / "file"
    files.write_atomic(path, "old")
    files.write_atomic(path, data, mode)
    assert path.read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert path.stat().st_mode & 0o777 == mode
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127, "🐧" * 63, "a" * 251 + ".xml"])
def test_write_atomic_takes_each_name_that_a_file_can_have(tmp_path: Path, name: str) -> None:
    files.write_atomic(tmp_path / name, "new")
    files.copy_atomic(tmp_path / name, tmp_path / "copies" / name)
    assert (tmp_path / "copies" / name).read_text() == "new"


def test_write_atomic_failure_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write_atomic(tmp_path / "taken", "new")
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["taken"]


LIMITED = """
import resource, sys
from pathlib import Path
from lab.base import files
path, source = Path(sys.argv[1]), Path(sys.argv[1]).with_name("source")
source.write_text("more than ten bytes")
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    if sys.argv[2] == "write":
        files.write_atomic(path, source.read_text())
    else:
        files.copy_atomic(source, path)
except OSError as error:
    print(error.strerror, error.filename)
"""


@pytest.mark.parametrize("action", ["write", "copy"])
def test_write_or_copy_without_space_names_the_path(tmp_path: Path, action: str) -> None:
    with python(LIMITED, tmp_path / "big", action) as process:
        assert process.communicate(timeout=60)[0] == f"File too large {tmp_path}/big\n"
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["source"]


def test_write_atomic_killed_leaves_old_or_new_file(tmp_path: Path) -> None:
    path = tmp_path / "there" / "file"
    files.write_atomic(path, "old")
    with python(WRITER, path) as writer:
        assert wait_for(lambda: list(path.parent.glob(".file.*")))  # now it is in the middle
        writer.kill()
        writer.wait()
    assert path.read_text() in {"old", "a" * 8_000_000, "b" * 8_000_000}
    assert len(list(path.parent.glob(".file.*"))) <= 1


@pytest.mark.integration
def test_write_atomic_is_atomic_for_readers(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with python(WRITER, path):
        assert wait_for(path.exists)
        seen = {path.read_text() for _ in range(25)}
    assert seen <= {"a" * 8_000_000, "b" * 8_000_000}


def test_sha256_is_that_of_sha256sum(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 5000)
    assert files.sha256(path) == output(["sha256sum", path]).split()[0]
    (tmp_path / "empty").touch()
    assert files.sha256(tmp_path / "empty") == hashlib.sha256().hexdigest()


@pytest.mark.parametrize(
    "holds, shared, free",
    [("exclusive", False, False), ("exclusive", True, False), ("shared", False, False), ("shared", True, True)],
)
def test_lock_of_another_process(tmp_path: Path, *, holds: str, shared: bool, free: bool) -> None:
    path = tmp_path / "below" / "lock"
    with python(HOLDER, path, holds) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        if free:
            with files.locked(path, shared=shared, wait=False) as descriptor:
                assert descriptor > 2
        else:
            with pytest.raises(files.Busy, match="below/lock"), files.locked(path, shared=shared, wait=False):
                pass
        assert files.is_locked(path) == (holds == "exclusive")
        holder.kill()
        holder.wait()
        assert not files.is_locked(path)
        with files.locked(path, wait=False):  # it died with its holder
            assert files.is_locked(path)


def test_lock_of_a_directory_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "below" / "lock"
    with pytest.raises(files.Busy, match="below/lock"), files.locked(path, wait=False, make=False):
        pass
    assert not path.parent.exists()
    path.parent.mkdir()
    with files.locked(path, wait=False, make=False):
        assert files.is_locked(path)


def test_lock_waits_for_release(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    got = threading.Event()

    def wait() -> None:
        with files.locked(path):
            got.set()

    with python(HOLDER, path, "exclusive") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not got.wait(0.2)
        assert holder.stdin is not None
        holder.stdin.close()
        assert got.wait(60)
        waiter.join()


def test_lock_query_creates_no_file(tmp_path: Path) -> None:
    assert not files.is_locked(tmp_path / "nowhere" / "lock")
    assert not (tmp_path / "nowhere").exists()


def test_lock_query_does_not_block_others(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with python(POLLER, path) as one, python(POLLER, path) as other:
        for poller in (one, other):
            assert poller.stdout is not None
            assert poller.stdout.readline() == "polls\n"
        for _ in range(2000):
            assert not files.is_locked(path)  # they do not see each other
        for _ in range(200):
            with files.locked(path, wait=False):  # nor do they keep anyone from working
                pass


def test_a_lock_on_a_read_only_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = tmp_path / "lock", Path.open

    def opened(self: Path, mode: str = "r", **options: Any) -> IO[Any]:
        if mode != "rb":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        return real(self, mode, **options)

    path.touch()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with files.locked(path):
            assert files.is_locked(path)
        with pytest.raises(OSError, match="Read-only file system"), files.locked(tmp_path / "other"):
            pass
