"""A rack of bare machines from empty disks: installed, deployed on, reset, and deployed on again, by real fence agents."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.base import environment
from lab.config.description import Lab
from scripts.deployment import environments
from scripts.drivers.interfaces import Node
from scripts.drivers.metal import driver
from scripts.machines import dnsmasq, volumes
from tests.conftest import Bench
from tests.integration.rack import UEFI, Rack, rack, start_by
from tests.integration.test_deploy import Place, service
from tests.processes import wait_for

PROGRAMS = ("dnsmasq", "ip", "nsenter", "qemu-system-x86_64", "setpriv")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(driver.missing_prerequisite()), reason="this machine has no targets that need root"),
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"one of {', '.join(PROGRAMS)} is not here"),
    pytest.mark.skipif(not all(path.exists() for path in dnsmasq.LOADERS.values()), reason="ipxe is not here"),
]
# Units with nothing to do at the first boot: the packages have done it, and the root has just been made.
NEEDLESS = ("systemd-sysusers.service", "systemd-fsck-root.service")
MARK = "of-the-former-root-4711"
# $1: a block device, $2: a text; in pieces, as it has few lines.
SEARCH = """
open DEVICE, "<", $ARGV[0] or die $!;
$/ = \\(1 << 22);
while (<DEVICE>) {
    if (index("$last$_", $ARGV[1]) >= 0) { print "found"; exit }
    $last = substr $_, -length $ARGV[1];
}
print "clean";
"""


@pytest.fixture
def machines(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rack]:
    """Provide a rack; the parameter: how many machines, their firmware, and what switches their power."""
    number, boot, kind = request.param
    if boot == "uefi" and not UEFI.exists():
        pytest.skip("ovmf is not here")
    with rack(tmp_path, number, boot, kind) as made:
        for name, value in made.credentials().items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def place(
    machines: Rack, lab_factory: Callable[..., Lab], bench: Callable[..., Bench], shared_cache: Path
) -> Iterator[Place]:
    application = {
        "role": "package",
        "to": [*range(len(machines.names))],
        "options": {"command": "greet", "prints": "hello"},
    }
    deployment = {"target": "metal", "settle_seconds": 1, "applications": {"greet": application}}
    described = machines.settings() | {"deployment": deployment}
    made = Place(lab_factory(track={"phases": ["build", "deploy", "exercise"]}, lab=described), bench)
    machines.serve(made.lab.file)
    yield made
    for name in environments.names(made.lab):
        environments.target(made.lab, name).destroy()


def stages(place: Place) -> dict[str, dict[str, float]]:
    noted = driver.target(environments.Store.of(place.lab).environments / "trunk").noted()
    assert noted
    return {name: dict(each) for name, each in noted.stages.items()}


def searched(node: Node) -> str:
    """Return whether the mark is ``found`` in the device of a node's root, or that is ``clean``."""
    device = node.run(["findmnt", "--noheadings", "--output", "SOURCE", "/"], capture=True).stdout.strip()
    return node.run(["perl", "-e", SEARCH, device, MARK], capture=True, timeout=1200).stdout


def show(what: str, of: dict[str, dict[str, float]]) -> None:
    for name, each in of.items():
        sys.stdout.write(f"{what}: {name}: {', '.join(f'{stage} {seconds} s' for stage, seconds in each.items())}\n")


@pytest.mark.parametrize(
    "machines",
    [
        pytest.param((3, "bios", "cdu"), id="fence_cdu"),
        pytest.param((3, "bios", "ipmi"), id="fence_ipmilan", marks=pytest.mark.full),
        pytest.param((3, "bios", "redfish"), id="fence_redfish", marks=pytest.mark.full),
    ],
    indirect=True,
)
def test_rack_from_empty_disks(place: Place, machines: Rack) -> None:
    at, record = place.deploy(files=service("exec sleep infinity"))
    assert record.verdict == "passed", record.message
    installed = stages(place)
    show("installed", installed)
    assert record.facts["snapshot"]["stages"] == installed
    for name in ("node0", "node1", "node2"):
        assert [*installed[name]] == [
            "asked", "task", "volumes", "unpacked", "installed", "restored", "switch_root", "ssh",
        ]  # fmt: skip
        assert (at.run.results / f"nodes/{name}/console.log").exists()
    _, record = place.exercise("1.0-1")
    assert record.verdict == "passed", record.message

    nodes = environments.target(place.lab, "trunk").nodes()
    keys = [node.read("/etc/ssh/qalab_host_key") for node in nodes]
    for node in nodes:
        node.write("/root/mark", f"{MARK}\n")
        node.run(["sync"])
    assert searched(nodes[0]) == "found"
    # A machine that reboots by itself boots its own root.
    nodes[0].run(["systemctl", "reboot"], check=False)
    began = environment.now()
    assert driver.target(environments.Store.of(place.lab).environments / "trunk").noted()

    nodes = environments.reset(place.lab, "trunk")
    show("restored", stages(place))
    sys.stdout.write(f"the reset took {(environment.now() - began).total_seconds():.0f} s\n")
    for node, key in zip(nodes, keys, strict=True):
        assert "volumes" not in stages(place)[node.name]
        assert not node.run(["test", "-e", "/root/mark"], check=False)
        assert not node.run(["dpkg", "-s", "greet"], check=False)
        ran = node.run(["systemctl", "show", "--property=ConditionResult", "--value", *NEEDLESS], capture=True).stdout
        assert ran.split() == ["no"] * len(NEEDLESS)
        assert node.read("/etc/ssh/qalab_host_key") != key
        assert searched(node) == "clean"

    _, record = place.deploy()
    assert record.verdict == "passed", record.message
    show("restored again", stages(place))
    assert environments.target(place.lab, "trunk").destroy()
    assert not any(machines.outlets.is_on(name) for name in machines.names)


@pytest.mark.parametrize("machines", [(1, "uefi", "cdu")], indirect=True, ids=["uefi"])
def test_machine_with_uefi(place: Place) -> None:
    """Its firmware loads iPXE by TFTP; then its system is started in each of the other ways."""
    _, record = place.deploy(files=service("exec sleep infinity"))
    assert record.verdict == "passed", record.message
    show("installed", stages(place))
    target = driver.target(environments.Store.of(place.lab).environments / "trunk", None, place.lab)
    (node,) = target.nodes()
    node.run(["test", "-d", "/sys/firmware/efi"])
    for way in ("kexec", "reboot"):
        start_by(target, way)
        (node,) = target.reset()
        show(f"restored by {way}", stages(place))
        assert [*stages(place)["node0"]][-2:] == [way, "ssh"]
        assert volumes.ROOT_DEVICE in node.read("/proc/cmdline")


@pytest.mark.parametrize("machines", [(1, "uefi", "cdu")], indirect=True, ids=["uefi"])
def test_uefi_loads_ipxe_by_http(place: Place, machines: Rack) -> None:
    """The machine is none of the lab server's yet, which says so to iPXE."""
    machines.by_http = True
    machines.outlets.start("node0")

    def heard() -> str:
        return (machines.home / "server.log").read_text()

    assert wait_for(lambda: "node0 has never been installed: it has no task" in heard(), 120)
    assert '"GET /ipxe.efi HTTP' in heard()
    assert "dnsmasq-tftp" not in heard().partition("TFTP root is")[2]
