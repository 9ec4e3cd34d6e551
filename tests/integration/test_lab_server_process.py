"""`qalab machine serve` as a process: wherever its standard error goes, and until it is ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lab.base import environment
from lab.base.errors import Aborted
from lab.config.description import Lab
from scripts.machines import dnsmasq
from tests.lab.config.test_machines import described
from tests.processes import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not environment.find_program("setpriv"), reason="setpriv is not here"),
    pytest.mark.skipif(not all(path.exists() for path in dnsmasq.LOADERS.values()), reason="iPXE is not here"),
]
HOUSE = Path(__file__).parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def status(port: int) -> int:
    with suppress(OSError):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/boot.ipxe") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
    return 0


@pytest.mark.parametrize("kind", ["journal", "pipe", "file", "nothing"])
def test_server_runs_whatever_its_output_is(
    lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    port = free_port()
    server = {"interface": "lo", "network": "127.0.0.0/8", "address": "127.0.0.1", "port": port}
    lab = lab_factory(lab=described(lab_server=server, machines={}))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dnsmasq").write_text("#!/bin/sh\nexec sleep 600\n")
    (programs / "dnsmasq").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    argv = [sys.executable, HOUSE / "qalab.py", "machine", "serve", "--lab", lab.file]
    ours, theirs = socket.socketpair()  # systemd gives one end of such a pair
    with ours, theirs, (tmp_path / "log").open("wb") as log:
        output = {"journal": theirs, "pipe": subprocess.PIPE, "file": log, "nothing": subprocess.DEVNULL}[kind]
        with subprocess.Popen(argv, cwd=HOUSE, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
            try:
                assert wait_for(lambda: status(port) or process.poll() is not None, 60)
                assert status(port) == 403, "no machine has this address"
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate()
    assert process.returncode == Aborted.exit_code, "systemd takes it for an end in order"
