"""Real processes of a test: Python programs that use the lab, waited for, killed, looked for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HOUSE = Path(__file__).parent.parent


@contextmanager
def python(code: str, *argv: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A Python program beside the test, killed at the end of it; it can import what the house has."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *argv],
        cwd=HOUSE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(what: Callable[[], object], seconds: float = 60.0) -> bool:
    """Return whether something comes true; the limit only keeps a test from hanging."""
    last = time.monotonic() + seconds
    while not what():
        if time.monotonic() > last:
            return False
        time.sleep(0.01)
    return True


def alive(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pid_in(path: Path) -> int:
    """The process id that a program leaves in a file."""
    assert wait_for(lambda: path.exists() and path.read_text().endswith("\n")), f"{path} was not written"
    return int(path.read_text())
