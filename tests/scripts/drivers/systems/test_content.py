"""The service that makes a system a node: it waits for the network card, and sets that one up."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.drivers.systems.content import NODE

OWN, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
SLEEP = """#!/bin/sh
echo x >> {home}/slept
[ $(wc -l < {home}/slept) != {rounds} ] || {{ mkdir -p {home}/net/{card}; echo {mac} > {home}/net/{card}/address; }}
"""


@pytest.mark.parametrize(
    ("mac", "there", "comes", "used", "slept"),
    [
        pytest.param(OWN, {"eth1": OWN, "eth0": OTHER}, ("eth2", OTHER, 9), "eth1", 0, id="there"),
        pytest.param(OWN, {"eth0": OTHER}, ("eth1", OWN, 3), "eth1", 3, id="later than another one"),
        pytest.param(OWN, {}, ("eth0", OWN, 3), "eth0", 3, id="later, the only one"),
        pytest.param("", {}, ("eth0", OTHER, 3), "eth0", 3, id="later, no address is known"),
        pytest.param("", {"eth0": OTHER}, ("eth1", OWN, 3), "eth0", 0, id="no address is known"),
        pytest.param(OWN, {"eth0": OTHER}, ("eth1", OTHER, 1), "eth0", 5, id="never"),
    ],
)
def test_network_card_is_waited_for(  # noqa: PLR0917 - a machine, by its parts
    tmp_path: Path, mac: str, there: dict[str, str], comes: tuple[str, str, int], used: str, slept: int
) -> None:
    for card, address in there.items():
        (tmp_path / "net" / card).mkdir(parents=True)
        (tmp_path / "net" / card / "address").write_text(f"{address}\n")
    (tmp_path / "node").write_text(f"ADDRESS=10.77.0.10/24\nGATEWAY=10.77.0.1\nMAC={mac}\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    card, address, rounds = comes
    (programs / "ip").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
    (programs / "sleep").write_text(SLEEP.format(home=tmp_path, rounds=rounds, card=card, mac=address))
    for path in programs.iterdir():
        path.chmod(0o755)
    script = NODE.replace("/sys/class/net", str(tmp_path / "net")).replace("/etc/qalab/node", str(tmp_path / "node"))
    script = script.replace("-lt 300", "-lt 5")  # a minute is long
    done = subprocess.run(["sh", "-c", script], env={"PATH": f"{programs}:/usr/bin:/bin"}, check=False, timeout=60)
    assert done.returncode == 0
    assert (tmp_path / "called").read_text().splitlines()[:2] == [
        f"link set {used} up",
        f"address replace 10.77.0.10/24 dev {used}",
    ]
    assert ((tmp_path / "slept").read_text().count("x") if slept else 0) == slept
