"""The way into a testbed: the status of a command in it, a testbed that is gone, and the end of its server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.base.signals import ENDING
from lab.config.description import Series
from scripts.testing import testbed
from scripts.testing.testbed import ENTER, INSIDE
from scripts.testing.virt_nspawn import Hooks


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


@pytest.fixture
def handlers() -> Iterator[None]:
    """Give the process of the tests its own handlers back."""
    before = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGPIPE)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def hooks(held: ExitStack | None = None) -> Hooks:
    return Hooks(SimpleNamespace(auxverb=None), "bookworm", Series(), held or ExitStack())


@pytest.mark.usefixtures("handlers")
def test_testbed_server_that_is_interrupted_in_a_copy_ends_its_testbed() -> None:
    """The library sets an alarm for each copy, and its handler raises in whatever runs."""
    ended: list[int] = []
    held = ExitStack()
    held.callback(lambda: ended.append(signal.alarm(0)))
    signal.alarm(600)
    try:
        hooks(held).hook_cleanup()
    finally:
        signal.alarm(0)
    assert ended == [0]


@dataclass
class Opened:
    """A stand-in for a testbed; the process gets a signal at one moment of it, and one more while it ends."""

    moment: str
    number: signal.Signals
    told: list[str] = field(default_factory=list)
    enter: Sequence[str] = ()

    def reach(self, moment: str) -> None:
        if moment == self.moment:
            os.kill(os.getpid(), self.number)
        self.told.append(moment)

    def revert(self) -> None:
        self.reach("revert")

    def wait_for_reboot(self) -> None:
        self.reach("reboot")

    @contextmanager
    def opened(self, *_: object, **__: object) -> Iterator[Opened]:
        try:
            self.reach("open")
            yield self
        finally:
            os.kill(os.getpid(), self.number if self.moment == "end" else signal.SIGTERM)
            self.told.append("ended")

    def serve(self) -> None:
        """Do what the library does with a testbed, which resets the signals before each end of one."""
        with ExitStack() as held:
            server = hooks(held)
            server.hook_open()
            self.reach("scratch")
            server.hook_revert()
            server.hook_wait_reboot()
            for number in ENDING:
                signal.signal(number, signal.SIG_DFL)
            server.hook_cleanup()


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("moment", ["open", "scratch", "revert", "reboot", "end"])
def test_testbed_ends_with_its_server(monkeypatch: pytest.MonkeyPatch, moment: str, number: signal.Signals) -> None:
    for each in ENDING:
        signal.signal(each, signal.SIG_DFL)  # as the library leaves them after another testbed
    bed = Opened(moment, number)
    monkeypatch.setattr(testbed, "opened", bed.opened)
    with pytest.raises(SystemExit) as caught:
        bed.serve()
    moments = ["open", "scratch", "revert", "reboot", "end"]
    assert (bed.told, caught.value.code) == ([*moments[: moments.index(moment)], "ended"], 128 + number)


@pytest.mark.usefixtures("handlers")
def test_testbed_outlives_a_client_of_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library takes SIGPIPE for the end of its caller."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    monkeypatch.setattr(testbed, "opened", lambda *_, **__: nullcontext(Opened("", signal.SIGTERM)))
    hooks().hook_open()
    one, other = socket.socketpair()
    other.close()
    with one, pytest.raises(BrokenPipeError):
        one.sendall(b"a block of a package")
