"""The program that connects to sshd of a node that boots, and hands the connection over, as ssh starts it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest

from scripts.drivers.ssh.connection import parse_ssh_error
from scripts.drivers.systems import login


@pytest.fixture
def node() -> Iterator[socket.socket]:
    """Provide the socket of an sshd that does not listen yet."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(30)
        yield made


def start(node: socket.socket, patience: str, handed: socket.socket) -> subprocess.Popen[bytes]:
    host, port = node.getsockname()
    argv = [str(word) for word in login.connector(host)]
    assert argv[-2:] == ["22", login.PATIENCE_SECONDS]
    return subprocess.Popen([*argv[:-2], str(port), patience], stdout=handed, stderr=subprocess.PIPE)


@pytest.mark.parametrize("family", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["stream", "datagrams"])
def test_node_that_listens_late_is_reached(node: socket.socket, family: socket.SocketKind) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, family)
    with ours, theirs:
        ours.settimeout(30)
        with start(node, "30", theirs) as program:
            node.listen()
            peer, _ = node.accept()
            _, (handed,), _, _ = socket.recv_fds(ours, 1, 1)
            assert program.wait(30) == 0
        with peer, socket.socket(fileno=handed) as connection:
            connection.sendall(b"SSH-2.0")
            assert peer.recv(7) == b"SSH-2.0"


def test_node_that_never_listens_is_named(node: socket.socket) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, start(node, "0", theirs) as program:
        _, said = program.communicate(timeout=30)
    assert program.returncode == 1
    assert parse_ssh_error(said.decode().splitlines()) == (
        f"connect to host 127.0.0.1 port {node.getsockname()[1]}: Connection refused"
    )
