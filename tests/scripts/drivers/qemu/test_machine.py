"""The process of a virtual machine, and its monitor: with a real qemu that boots nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from scripts.drivers.qemu import monitor
from scripts.drivers.qemu.virtual_machine import PROGRAM, SUPPORT, VirtualMachine

needs_qemu = pytest.mark.skipif(not shutil.which(PROGRAM), reason="qemu is not installed")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Provide the directory of a machine whose name is longer than the path of a socket may be."""
    path = tmp_path_factory.mktemp("n" * 100)
    argv = [PROGRAM, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "unix:monitor,server=on,wait=off"]
    subprocess.run([*argv, "-daemonize", "-pidfile", "pid"], cwd=path, check=True)  # it returns once qemu listens
    yield path
    os.kill(int((path / "pid").read_text()), signal.SIGKILL)


@needs_qemu
def test_monitor_answers(running: Path) -> None:
    assert monitor.command(running, "info status").startswith("VM status: running")
    assert monitor.command(running, "savevm pristine").startswith("Error: no block device ")
    assert monitor.command(running, "nonsense").startswith("unknown command: 'nonsense'")


def test_monitor_of_no_machine(tmp_path: Path) -> None:
    (tmp_path / "node0").mkdir()
    with pytest.raises(InfrastructureError, match="node0: qemu does not answer: "):
        monitor.command(tmp_path / "node0", "info status")


@pytest.mark.parametrize(
    ("console", "log", "words"),
    [
        pytest.param("", "", "it said nothing", id="silent"),
        pytest.param("", "qemu: no such device\n", "qemu: no such device", id="qemu"),
        pytest.param("a\n\x1b[0;1;31mKernel panic\x1b[0m: no init\r\n\n", "x", "Kernel panic: no init", id="panic"),
        pytest.param("\x1bc\x1b[?7l\x1b[2J", "x", "x", id="only-escapes"),
        pytest.param("login\xff", "", "login\xff", id="text"),
    ],
)
def test_last_words(tmp_path: Path, console: str, log: str, words: str) -> None:
    machine = VirtualMachine(tmp_path, "node0", 0, 512)
    machine.path.mkdir(parents=True)
    (machine.path / "console").write_text(console)
    (machine.path / "qemu.log").write_text(log)
    assert machine.last_words() == words


@pytest.mark.parametrize(
    ("flags", "support"),
    [("fpu vmx sse", True), ("fpu sse svm", True), ("fpu sse hypervisor", False), ("svm_lock avmx", False)],
)
def test_support_of_processor(flags: str, *, support: bool) -> None:
    assert bool(SUPPORT.search(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: vmx\n")) is support
