"""An installation that does not end, from process lists of nodes."""

from __future__ import annotations

from typing import Any

import pytest

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import Result
from scripts.deployment import hanging, installation

POSTINST = """\
      1       0     402 /lib/systemd/systemd
     71       0     304 sh -euc apt-get --quiet --yes --no-download install greet
     72      71     304 apt-get --quiet --yes --no-download install greet
     90      72     303 /usr/bin/dpkg --status-fd 17 --configure --pending
     91      90     302 /bin/sh /var/lib/dpkg/info/greet.postinst configure
     93      91     302 sleep 100000
     99       0       0 ps -e -o pid=,ppid=,etimes=,args=
"""
DEBCONF = POSTINST.replace("/bin/sh /var", "/usr/bin/perl -w /usr/share/debconf/frontend /var").replace(
    "     93      91     302 sleep 100000",
    "     92      91      42 /bin/sh /var/lib/dpkg/info/greet.postinst configure\n     93      92      42 mysql -e x",
)
PREINST = POSTINST.replace("info/greet.postinst configure", "tmp.ci/preinst install")
FOREIGN = POSTINST.replace("info/greet.postinst", "info/libgreet1:amd64.postinst")
DOWNLOAD = "     72       1     304 apt-get --quiet update\n     80      72     304 /usr/lib/apt/methods/http\n"
LISTS = {
    "postinst": (POSTINST, Failed, "the package greet: its postinst has run for 5 min on node0 (sleep 100000)"),
    "under debconf": (DEBCONF, Failed, "the package greet: its postinst has run for 5 min on node0 (mysql -e x)"),
    "preinst": (PREINST, Failed, "the package that is being unpacked: its preinst has run for 5 min on node0 (sleep"),
    "multi-arch": (FOREIGN, Failed, "the package libgreet1: its postinst has run for 5 min on node0 (sleep 100000)"),
    "download": (DOWNLOAD, InfrastructureError, "node0: apt-get has not finished within 5 min"),
    "nothing": ("", InfrastructureError, "node0: apt-get has not finished within 5 min"),
}


@pytest.mark.parametrize("what", LISTS)
def test_hanging_installation_is_named(what: str) -> None:
    output, kind, message = LISTS[what]
    error = hanging.fault(hanging.processes(output), "node0", 5)
    assert isinstance(error, kind)
    assert str(error).startswith(message)


def test_hanging_apt_is_ended_with_its_children() -> None:
    found = hanging.processes(POSTINST)
    assert [each.pid for each in hanging.descendants(found, hanging.APT)] == [72, 90, 91, 93]


class Node:
    """A node whose apt ends when it is killed."""

    name = "node0"

    def __init__(self) -> None:
        self.killed = hanging.threading.Event()

    def run(self, argv: Any, **_: Any) -> Result:
        if argv[0] == "kill":
            self.killed.set()
        return Result(tuple(argv), 0, POSTINST if argv[0] == "ps" else "")

    def attempt(self, argv: Any, **_: Any) -> tuple[Result, list[str]]:
        self.killed.wait(20)
        return Result(tuple(argv), 137), ["Killed"]


def test_installation_beyond_its_time_fails() -> None:
    node: Any = Node()
    with pytest.raises(
        LabError, match=r"^the package greet: its postinst has run for 5 min on node0 \(sleep 100000\)$"
    ):
        installation.install(node, ["greet"], None, minutes=0.0005)
    assert node.killed.is_set()
