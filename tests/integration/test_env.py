"""``qalab env`` on real containers: copy files, collect logs, forward a port, reach the network."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.base import resources
from lab.config.description import Lab
from scripts.deployment import environments
from tests.command import qalab

pytestmark = pytest.mark.integration
NOTHING = {"applications": {"greet": {"role": "package", "packages": ["cron"], "to": [0, 1]}}}
SERVER = """\
use IO::Socket;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die;
while (my $client = $server->accept) { <$client>; print $client "HTTP/1.0 200 OK\r\n\r\nhello"; close $client }
"""


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], shared_cache: Path) -> Iterator[Lab]:
    made = lab_factory(track={"phases": ["build", "deploy"]}, lab={"deployment": NOTHING})
    yield made
    environments.target(made, "trunk").destroy()


def test_env_copies_collects_and_forwards(lab: Lab, tmp_path: Path) -> None:
    def env(verb: str, *words: str | Path) -> str:
        done = qalab("env", verb, "--lab", lab.file, "trunk", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    env("create")
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "inner/bytes").write_bytes(bytes(range(256)))
    (source / "serve.pl").write_text(SERVER)
    env("cp", source, "node1:/srv/copy")
    env("cp", "node1:/srv/copy", tmp_path / "back")
    assert (tmp_path / "back/inner/bytes").read_bytes() == bytes(range(256))
    for into in ("node1:/srv/", "node1:/tmp"):  # existing directories, as cp and scp take them
        env("cp", source / "inner/bytes", into)
        env("cp", f"{into}/bytes", tmp_path / "one file")
        assert (tmp_path / "one file").read_bytes() == bytes(range(256))
    refused = qalab("env", "cp", "--lab", lab.file, "trunk", source, "node1:/proc/nothing/x")
    assert (refused.returncode, "node1:/proc/nothing/x: cannot be written: " in refused.stderr) == (3, True)
    env("cp", "node1:/etc/hostname", tmp_path)
    assert (tmp_path / "hostname").read_text() == "node1\n"
    refused = qalab("env", "cp", "--lab", lab.file, "trunk", "node7:/etc/hosts", tmp_path)
    assert (refused.returncode, "node7:/etc/hosts: not NODE:/PATH (nodes: node0, node1)" in refused.stderr) == (2, True)
    assert env("logs", tmp_path / "logs").splitlines() == [f"{tmp_path}/logs/node0", f"{tmp_path}/logs/node1"]
    assert (tmp_path / "logs/node1/journal.log").stat().st_size
    assert env("shell", "--online", "cat", "/etc/resolv.conf") == Path("/etc/resolv.conf").read_text()
    assert env("shell", "cat", "/etc/resolv.conf") == ""
    env("shell", "--node", "node1", "systemd-run", "--quiet", "perl", "/srv/copy/serve.pl")
    argv = [sys.executable, "qalab.py", "env", "forward", "--lab", lab.file, "trunk", "8080", "--node", "node1"]
    with subprocess.Popen(argv, cwd=resources.ROOT, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout
        url = forward.stdout.readline().split()[0]
        assert [urllib.request.urlopen(url, timeout=30).read() for _ in range(3)] == [b"hello"] * 3
        forward.terminate()
