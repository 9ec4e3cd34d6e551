"""The environment and the clock: read in one file, and nothing odd gets through it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.base import environment
from tests.processes import HOUSE

READS_THEM = re.compile(r"\bos\.environ\b|\bgetenv\b|\bdatetime\.(now|today|utcnow)\b|\btime\.time\(")


def test_environment_and_clock_are_read_in_one_module() -> None:
    readers = [
        path.relative_to(HOUSE).as_posix()
        for room in ("lab", "reports", "scripts", "generator")
        for path in sorted((HOUSE / room).rglob("*.py"))
        if READS_THEM.search(path.read_text())
    ]
    assert readers == ["lab/base/environment.py"]


@pytest.mark.parametrize("value, read", [(None, None), ("", None), ("x", "x")])
def test_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, value: str | None, read: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("QALAB_TEST", value)
    assert environment.variable("QALAB_TEST") == read


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/opt/bin:/sbin", "/opt/bin:/sbin:/usr/local/sbin:/usr/sbin"),  # existing directories keep their place
        (None, "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"),
    ],
)
def test_path_includes_sbin(monkeypatch: pytest.MonkeyPatch, path: str | None, expected: str) -> None:
    monkeypatch.delenv("PATH")
    if path:
        monkeypatch.setenv("PATH", path)
    assert environment.clean()["PATH"] == expected


def test_home_is_always_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert Path(environment.clean()["HOME"]).is_absolute()


@pytest.mark.parametrize(
    "value, state, cache",
    [
        ("/srv", "/srv/qalab", "/srv/qalab"),
        (None, "HOME/.local/state/qalab", "HOME/.cache/qalab"),
        ("", "HOME/.local/state/qalab", "HOME/.cache/qalab"),
        # XDG Base Directory Specification: a relative path is invalid and ignored.
        ("below/here", "HOME/.local/state/qalab", "HOME/.cache/qalab"),
    ],
)
def test_state_and_cache_home(
    monkeypatch: pytest.MonkeyPatch, own_home: Path, value: str | None, state: str, cache: str
) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
        if value is not None:
            monkeypatch.setenv(name, value)
    places = [str(environment.state_home()), str(environment.cache_home())]
    assert [place.replace(str(own_home), "HOME") for place in places] == [state, cache]


def test_find_program_on_path_of_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.find_program("frob") is None
    (tmp_path / "frob").touch(mode=0o755)
    assert environment.find_program("frob") == str(tmp_path / "frob")


def test_time_is_utc_in_milliseconds() -> None:
    before = datetime.now(UTC)
    now = environment.now()
    assert now.utcoffset() == timedelta(0)
    assert now.microsecond % 1000 == 0
    assert before - timedelta(milliseconds=1) < now <= datetime.now(UTC)


def test_account_is_root() -> None:
    assert environment.is_root() == (os.geteuid() == 0)


def test_terminal_is_detected(capsys: pytest.CaptureFixture[str]) -> None:
    assert not environment.on_terminal()
    ask = [sys.executable, "-c", "import sys; from lab.base import environment; sys.exit(environment.on_terminal())"]
    ours, theirs = os.openpty()
    try:
        assert subprocess.run(ask, cwd=HOUSE, stdout=theirs, check=False).returncode == 1
        assert subprocess.run(ask, cwd=HOUSE, stdout=subprocess.DEVNULL, check=False).returncode == 0
        closed = ["sh", "-c", 'exec "$@" >&-', "sh", *ask]
        assert subprocess.run(closed, cwd=HOUSE, stderr=subprocess.PIPE, check=True).stderr == b""
    finally:
        os.close(ours)
        os.close(theirs)
