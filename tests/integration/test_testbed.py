"""Testbeds of autopkgtest: qalab-virt-nspawn by its protocol, and what is left of it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.base import resources
from lab.base.signals import ENDING
from lab.config.description import Series
from scripts.demo import demo
from scripts.drivers.nspawn import leftovers
from scripts.testing import testbed, virt_nspawn
from tests.virt_server import Server, serving

pytestmark = [pytest.mark.integration, pytest.mark.full]
IDENTITIES = ("/proc/sys/kernel/random/boot_id", "/etc/machine-id")


@pytest.fixture
def server(shared_cache: Path) -> Iterator[Server]:
    with serving("bookworm", {"XDG_CACHE_HOME": str(shared_cache)}) as running:
        yield running


def test_testbed_reverts_reboots_and_leaves_nothing(server: Server, shared_cache: Path) -> None:
    assert {"isolation-container", "reboot", "revert", "root-on-testbed"} <= set(server.ask("capabilities"))
    scratch = server.ask("open")
    assert [server.run("sh", "-c", f"exit {status}").returncode for status in (77, 254, 255)] == [77, 253, 253]
    assert server.run("sh", "-c", "kill -KILL $$").returncode == 137
    assert server.run("sh", "-c", "sleep 1000 & echo started").stdout == "started\n"  # and its output ends
    assert server.run("pgrep", "--exact", "sleep").returncode == 1
    assert server.run("systemctl", "is-system-running").stdout == "running\n"
    assert server.run("touch", "/etc/changed", "/run/volatile").returncode == 0
    boot, machine = server.run("cat", *IDENTITIES).stdout.split()
    server.ask("reboot")
    assert server.run("ls", "/etc/changed", "/run/volatile").stdout == "/etc/changed\n"
    boot_again, machine_again = server.run("cat", *IDENTITIES).stdout.split()
    assert (boot != boot_again, machine) == (True, machine_again)
    assert server.ask("revert") == scratch
    assert server.run("ls", "/etc/changed").returncode == 2
    server.ask("close")
    assert leftovers.left_by(shared_cache / "qalab/testbeds") == []


def test_testbed_starts_what_tests_of_packages_start(server: Server) -> None:
    server.ask("open")
    for after in ("revert", "reboot", ""):
        for unit in ("networking.service", "logrotate.timer", "systemd-tmpfiles-clean.timer"):
            assert server.run("systemctl", "restart", unit).returncode == 0, unit
        assert server.run("systemctl", "is-enabled", "apt-daily.timer").stdout == "masked\n"
        if after:
            server.ask(after)
    server.ask("close")


def test_testbed_reaches_mirrors_alone(server: Server) -> None:
    server.ask("open")
    update = server.run("apt-get", "update", "--error-on=any")
    assert update.returncode == 0, update.stderr
    proxy = server.run("cat", "/etc/apt/apt.conf.d/99qalab-proxy").stdout.split('"')[1]
    get = "exec 3<> /dev/tcp/{}/{}; printf 'GET http://127.0.0.1:22/ HTTP/1.0\\r\\n\\r\\n' >&3; head -n 1 <&3"
    host, _, port = proxy.removeprefix("http://").partition(":")
    assert "403" in server.run("bash", "-c", get.format(host, port)).stdout
    server.ask("close")


def test_testbed_of_killed_server_is_swept(server: Server, shared_cache: Path) -> None:
    server.ask("open")
    server.process.kill()
    server.process.wait()
    testbed.sweep(shared_cache / "qalab/testbeds")
    assert leftovers.left_by(shared_cache / "qalab/testbeds") == []


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """Send SIGTERM to this process after it has started one program more than ``at``; return a list of those that it starts."""
    started: list[str] = []
    real = subprocess.Popen

    def counted(argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        process = real(argv, **options)
        started.append(shlex.join(map(str, argv[4:])))
        if len(started) == at + 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return process

    monkeypatch.setattr(subprocess, "Popen", counted)
    return started


@pytest.mark.parametrize("command", ["open", "revert", "reboot"])
def test_testbed_of_interrupted_server_ends(command: str, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends after each of the first programs that the server starts for a command; a boot is asked for again and again."""
    home, handlers = shared_cache / "qalab/testbeds", {each: signal.getsignal(each) for each in ENDING}
    at, ended = 0, False
    while not ended and at < 8:
        with ExitStack() as held, monkeypatch.context() as patched:
            server = virt_nspawn.Hooks(SimpleNamespace(auxverb=None), "bookworm", Series(), held)
            carry_out = {"open": server.hook_open, "revert": server.hook_revert, "reboot": server.hook_wait_reboot}
            if command != "open":
                server.hook_open()
                assert server.bed
                if command == "reboot":
                    server.bed.run(["systemd-run", "--quiet", "--on-active=1", "systemctl", "reboot"])
            started = interrupt(patched, at)
            with suppress(SystemExit):
                carry_out[command]()
                ended = True
        assert leftovers.left_by(home) == [], started
        at += 1
    assert at > 2, started
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_testbed_outlives_a_client_of_the_proxy_that_is_killed(server: Server) -> None:
    server.ask("open")
    assert server.run("apt-get", "update", "--error-on=any").returncode == 0
    for _ in range(3):
        get = "cd /tmp; timeout --signal=KILL 0.3 apt-get download linux-image-amd64 linux-source-6.1"
        server.run("sh", "-c", f"{get} > /dev/null 2>&1")
        assert server.run("true").returncode == 0
    server.ask("close")


def test_autopkgtests_own_class_for_virtualisation_servers(shared_cache: Path, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        dsc = demo.download_source("autopkgtest", tmp_path / "sources", log)
    source = tmp_path / "autopkgtest"
    subprocess.run(["dpkg-source", "--extract", dsc, source], check=True, capture_output=True)
    server = tmp_path / "qalab-virt-nspawn"
    # The class gives each test a home of its own; its test of apt sources needs deb-src lines.
    server.write_text(
        f"#!/bin/sh\nexport XDG_CACHE_HOME={shared_cache}\ncd {resources.ROOT}\n"
        f'exec {sys.executable} -m scripts.testing.virt_nspawn --deb-src "$@"\n'
    )
    server.chmod(0o755)
    argv = [sys.executable, Path(__file__).with_name("virt_class.py"), source, server]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:]
