"""The identity of a virtual machine: its files, and the way of apt to the mirrors."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from scripts.drivers.systems.identity import NodeIdentity, WayOut, mac, make_key, way_out, write_tar

SOCKS = 'Acquire::http::Proxy "socks5h://127.0.0.1:1080";'
ARCHIVE = 'Acquire::http::Proxy::127.0.0.1 "socks5h://127.0.0.1:1080";'


@pytest.mark.parametrize(
    ("proxies", "forwards", "lines"),
    [
        pytest.param({}, ("1080",), {SOCKS, ARCHIVE, SOCKS.replace("http:", "https:")}, id="none"),
        pytest.param(
            {"http": "http://cache.example:3142/"},
            ("1080", "1081:cache.example:3142"),
            {'Acquire::http::Proxy "http://127.0.0.1:1081";', ARCHIVE, SOCKS.replace("http:", "https:")},
            id="cache",
        ),
        pytest.param(
            {"http": "http://me:pw@p.example", "https": "http://me:pw@p.example"},
            ("1080", "1081:p.example:80", "1082:p.example:80"),
            {'Acquire::http::Proxy "http://me:pw@127.0.0.1:1081";', ARCHIVE}
            | {'Acquire::https::Proxy "http://me:pw@127.0.0.1:1082";'},
            id="login",
        ),
    ],
)
def test_way_out(proxies: dict[str, str], forwards: tuple[str, ...], lines: set[str]) -> None:
    way = way_out(proxies)
    assert way.forwards == forwards
    assert set(way.apt_conf.splitlines()) == lines


def test_tar_has_the_files_of_a_node(tmp_path: Path) -> None:
    node = NodeIdentity("node0", "10.20.0.11", "10.20.0.1", "10.20.0.11 node0\n", "PRIVATE\n", "ssh-ed25519 A")
    write_tar(tmp_path / "node.tar", node.contents(WayOut((), "x;\n")))
    with tarfile.open(tmp_path / "node.tar") as tar:
        modes = {member.name: member.mode for member in tar}
        address = tar.extractfile("etc/qalab/node")
        assert address is not None
        assert address.read() == b"ADDRESS=10.20.0.11/24\nGATEWAY=10.20.0.1\nMAC=\n"
    secret = {name for name, mode in modes.items() if mode == 0o600}
    assert secret == {"etc/ssh/qalab_host_key", "root/.ssh/authorized_keys"}
    assert not any(name.startswith("/") for name in modes)


def test_key_is_one_line_without_comment(tmp_path: Path) -> None:
    kind, public = make_key(tmp_path / "key").split()
    assert kind == "ssh-ed25519"
    assert public in (tmp_path / "key.pub").read_text()
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_addresses_of_cards_are_local_and_stay() -> None:
    found = {mac(Path(home), name) for home in ("/a", "/b") for name in ("node0", "node1")}
    assert len(found) == 4
    assert all(int(each[:2], 16) & 3 == 2 for each in found), "locally administered, and of one card"
    assert mac(Path("/a"), "node0") in found
