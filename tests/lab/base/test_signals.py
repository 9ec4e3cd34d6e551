"""Signals during the start of a program: their exceptions come after it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from lab.base import run as door
from lab.base import signals
from lab.base.run import run
from tests.processes import alive, wait_for


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_is_handled_after_the_block(number: signal.Signals) -> None:
    def end(*_: object) -> None:
        raise KeyboardInterrupt

    def block() -> None:
        with signals.held_back():
            os.kill(os.getpid(), number)
            done.append("the block")

    before = signal.signal(number, end)
    done: list[str] = []
    try:
        with pytest.raises(KeyboardInterrupt):
            block()
        assert (done, signal.getsignal(number)) == (["the block"], end)
    finally:
        signal.signal(number, before)


def test_other_threads_are_left_alone() -> None:
    done: list[str] = []

    def work() -> None:
        with signals.held_back():
            done.append("the block")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["the block"]


def test_child_whose_start_is_interrupted_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes when the child runs, and Python has not returned it yet."""
    started: list[int] = []
    real = door.subprocess.Popen

    def start(*args: Any, **options: Any) -> Any:
        process = real(*args, **options)
        started.append(process.pid)
        os.kill(os.getpid(), signal.SIGINT)
        return process

    monkeypatch.setattr(door.subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        run([Path("/bin/sleep"), "300"])
    assert wait_for(lambda: not alive(started[0]))
