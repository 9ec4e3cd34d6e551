"""Targets with real containers: they boot, are reached, are reset, and leave nothing, however they are ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from lab.config.deployment import Deployment, Limits
from lab.config.description import Series
from scripts.drivers.interfaces import Node, Pristine
from scripts.drivers.layers import Layers
from scripts.drivers.nspawn import driver, leftovers
from scripts.drivers.nspawn.driver import NspawnTarget
from tests.processes import python, wait_for
from tests.samples import sampled

pytestmark = pytest.mark.integration
BARE = Pristine("bookworm", Series())
CAP_NET_ADMIN, CAP_SYS_TIME = 12, 25  # capabilities(7)


@pytest.fixture
def home(shared_cache: Path, tmp_path: Path) -> Iterator[Path]:
    """Provide a directory for environments, and remove all of them after the test."""
    path = tmp_path / "environments"
    yield path
    for each in path.glob("*"):
        NspawnTarget(each).destroy()
    assert leftovers.left_by(path) == []


def create(target: NspawnTarget, *names: str, pristine: Pristine = BARE) -> list[Node]:
    with target.prepare(pristine) as snapshot:
        return target.create(snapshot, names)


def said(node: Node, *argv: str, **options: bool) -> str:
    return node.run(argv, capture=True, **options).stdout.strip()


def tree(node: Node) -> str:
    """Return all files except those that each boot renames."""
    return said(node, "sh", "-c", "find / -xdev | grep -Ev '^(/var/log|/var/lib/systemd|.*/systemd-private-)' | sort")


def test_nodes_reach_only_each_other(home: Path) -> None:
    one, two = create(NspawnTarget(home / "a"), "one", "two")
    assert said(one, "hostname") == "one"
    assert said(one, "systemctl", "is-system-running") == "running"
    assert one.run(["ping", "-c1", "-W5", "two"])
    assert NspawnTarget(home / "a").beside(["ping", "-c1", "-W5", two.address])
    assert not one.run(["ping", "-c1", "-W1", "192.0.2.1"], check=False)
    assert "lo" in said(one, "ls", "/sys/class/net")
    assert "eth0" not in said(one, "ls", "/sys/class/net")


def test_node_writes_and_reads_files(home: Path) -> None:
    (node,) = create(NspawnTarget(home / "a"), "one")
    node.write("/etc/some/where/file", "a $text with 'quotes'\n\udcff", mode=0o640)
    assert node.read("/etc/some/where/file") == "a $text with 'quotes'\n\udcff"
    assert said(node, "stat", "-c", "%a %U", "/etc/some/where/file") == "640 root"


def test_node_has_its_limits_of_memory_and_disk(home: Path) -> None:
    settings = Deployment(applications={}, limits=Limits(memory=256, disk=4))
    target = NspawnTarget(home / "a", settings=settings)
    (node,) = create(target, "one")
    (free,) = create(NspawnTarget(home / "b"), "one")
    # tail(1) keeps what has no end of a line.
    eat = ["systemd-run", "--quiet", "--wait", "sh", "-c", "head --bytes=400M /dev/zero | tail > /dev/null"]
    for _ in range(2):
        assert [bool(each.run(eat, check=False)) for each in (node, free)] == [False, True]
        assert int(said(node, "df", "--output=size", "--block-size=1M", "/").split()[-1]) <= 4096
        assert not node.run(["fallocate", "--length=5G", "/root/much"], check=False)
        assert said(node, "hostname") == "one"
        (node,) = target.reset()
    assert target.destroy()
    assert [line for line in leftovers.left_by(home) if "loop" in line or "/a" in line] == []


def test_node_cannot_set_the_clock_of_the_machine(home: Path) -> None:
    (node,) = create(NspawnTarget(home / "a"), "one")
    shown = said(node, "systemd-run", "--quiet", "--wait", "--pipe", "grep", "^CapBnd:", "/proc/self/status")
    allowed = int(shown.split()[1], 16)
    assert [bool(allowed >> bit & 1) for bit in (CAP_NET_ADMIN, CAP_SYS_TIME)] == [True, False]


def test_program_ends_with_its_node(home: Path) -> None:
    """A system that shuts down stops all of its processes before it kills them."""
    (node,) = create(NspawnTarget(home / "a"), "one")
    shutdown = "systemctl poweroff; trap '' TERM; sleep 600"
    assert not node.run(["sh", "-c", shutdown], check=False, timeout=120)


def test_node_that_cannot_start_is_reported_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its boot program ends without a system; nobody waits for one, and the hint of mount(8) is not the reason."""
    monkeypatch.setattr(driver, "BOOT_SECONDS", 10_000.0)
    with pytest.raises(InfrastructureError, match=r"^the node one does not start: mount: .*root: "):
        NspawnTarget(home / "a").create(Layers((Path("/nowhere"),), (), {}), ["one"])
    assert NspawnTarget(home / "a").destroy()


def test_reset_restores_pristine_node(home: Path) -> None:
    target = NspawnTarget(home / "a")
    (node,) = create(target, "one")
    pristine = tree(node)
    node.run(["rm", "/usr/bin/less"])
    node.write("/root/garbage", "x")
    (again,) = target.reset()
    assert tree(again) == pristine


@pytest.mark.full
def test_environments_are_isolated(home: Path) -> None:
    (one,), (other,) = create(NspawnTarget(home / "a"), "node"), create(NspawnTarget(home / "b"), "node")
    assert one.address == other.address
    one.write("/root/mine", "a")
    assert not other.run(["test", "-e", "/root/mine"], check=False)
    assert said(one, "ip", "neighbour") == ""
    NspawnTarget(home / "a").destroy()
    assert said(other, "hostname") == "node"
    assert NspawnTarget(home / "a").nodes() == []


def test_layer_has_dependencies_without_tested_package(home: Path) -> None:
    wanted = Pristine("bookworm", Series(), packages=("python3-yaml", "mtr-tiny"), sources=("pyyaml",))
    target = NspawnTarget(home / "a")
    with target.prepare(wanted) as snapshot:
        (node,) = target.create(snapshot, ["one"])
    shown = said(
        node, "sh", "-c", "dpkg-query -W -f '${Package} ' python3-minimal libyaml-0-2 mtr-tiny python3-yaml 2>&1 || :"
    )
    assert set(shown.split()) >= {"python3-minimal", "libyaml-0-2", "mtr-tiny"}
    assert "no packages found matching python3-yaml" in shown
    with NspawnTarget(home / "b").prepare(wanted) as again:
        assert (snapshot.facts["layer"]["reused"], again.facts["layer"]["reused"]) == (False, True)


def test_node_reaches_mirror_only_online(home: Path) -> None:
    (node,) = create(NspawnTarget(home / "a"), "one")
    assert node.run(["apt-get", "update"], online=True)
    assert not node.run(["apt-get", "-oAcquire::Retries=0", "-oAcquire::http::Timeout=2", "update"], check=False)
    assert node.read("/etc/resolv.conf") == ""


MAKE = """
import sys
from pathlib import Path
from lab.config.description import Series
from scripts.drivers.nspawn.driver import NspawnTarget
from scripts.drivers.interfaces import Pristine
target = NspawnTarget(Path(sys.argv[1]))
with target.prepare(Pristine("bookworm", Series())) as snapshot:
    print("prepared", flush=True)
    target.create(snapshot, ["one", "two"])
    print("created", flush=True)
    target.reset()
"""


@pytest.mark.parametrize("delay", sampled([0.0, 0.02, 0.1, 0.3, 0.6, 1.0], 0.1, 0.6))
def test_environment_creation_recovers_after_kill(home: Path, delay: float) -> None:
    with python(MAKE, home / "a") as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "prepared\n", maker.stdout.read()
        time.sleep(delay)
        os.killpg(maker.pid, signal.SIGKILL)
    create(NspawnTarget(home / "a"), "one")
    NspawnTarget(home / "a").destroy()
    assert leftovers.left_by(home) == []


def test_leftovers_are_reported(home: Path) -> None:
    create(NspawnTarget(home / "a"), "one")
    lines = leftovers.left_by(home)
    assert any("systemd-nspawn" in line for line in lines)
    assert f"file {home / 'a'}" in lines


@pytest.mark.full
def test_environment_without_keeper_does_not_exist(home: Path) -> None:
    target = NspawnTarget(home / "a")
    create(target, "one")
    os.kill(target.keeper.pid, signal.SIGKILL)
    assert wait_for(lambda: target.nodes() == [])
    with pytest.raises(InfrastructureError, match="a: there is no such environment"):
        target.reset()
