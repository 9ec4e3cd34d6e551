"""The way into a testbed: the status of a command in it, a testbed that is gone, and the end of its server."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab.config.description import Series
from scripts.testing import testbed
from scripts.testing.testbed import ENTER, INSIDE
from scripts.testing.virt_nspawn import ENDING, Hooks


@pytest.mark.parametrize(("status", "told"), [(0, 0), (1, 1), (77, 77), (253, 253), (254, 253), (255, 253)])
def test_testbed_status_of_a_command_is_none_of_the_testbed(status: int, told: int) -> None:
    argv = ["sh", "-c", INSIDE, "sh", "sh", "-c", f"exit {status}"]
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == told


def ended_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize("is_gone", [True, False], ids=["ended", "number of another process"])
def test_testbed_that_is_gone_is_no_failure_of_a_command(tmp_path: Path, is_gone: bool) -> None:  # noqa: FBT001 - a table
    place = tmp_path / "place"
    place.write_text(f"{ended_process() if is_gone else os.getpid()} pid:[1]\n{tmp_path}\n")
    argv = ["sh", "-euc", ENTER, "sh", str(place), "touch", str(tmp_path / "made")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (255, "qalab-virt-nspawn: the testbed is gone\n")
    assert not (tmp_path / "made").exists()


def test_testbed_server_that_is_interrupted_in_a_copy_ends_its_testbed() -> None:
    """The library sets an alarm for each copy, and its handler raises in whatever runs."""
    ended: list[int] = []
    held = ExitStack()
    held.callback(lambda: ended.append(signal.alarm(0)))
    signal.alarm(600)
    try:
        Hooks(None, "bookworm", Series(), held).hook_cleanup()
    finally:
        signal.alarm(0)
    assert ended == [0]


@pytest.mark.parametrize("number", ENDING)
def test_testbed_that_is_not_open_yet_ends_with_its_server(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    told: list[str] = []

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[None]:
        try:
            os.kill(os.getpid(), number)
            yield
        finally:
            told.append("ended")

    monkeypatch.setattr(testbed, "opened", opened)
    before = [signal.getsignal(each) for each in ENDING]
    with pytest.raises(SystemExit) as caught:
        Hooks(None, "bookworm", Series(), ExitStack()).hook_open()
    assert (told, caught.value.code) == (["ended"], 128 + number)
    assert [signal.getsignal(each) for each in ENDING] == before
