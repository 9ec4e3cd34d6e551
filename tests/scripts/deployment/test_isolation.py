"""What needs a machine is skipped on containers, before and after the fact; on machines it is not."""

from __future__ import annotations

import pytest

from lab.base.errors import Failed, InfrastructureError, LabError
from scripts.deployment.isolation import missing_after, missing_for, missing_for_packages
from scripts.drivers.topology import Application, CharmRole, Topology

ROLE = CharmRole("package", SUPPORTING=False)
MACHINES = ("qemu", "ssh", "juju")


def topology(*packages: str, **needs: bool) -> Topology:
    return Topology((Application("web", ROLE, packages or ("web",), ("node0",), {}, **needs),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        pytest.param(topology(), "", id="service"),
        pytest.param(topology(machine=True), "web: isolation: machine; the target nspawn has containers", id="machine"),
        pytest.param(topology(reboot=True), "web: reboots its nodes; the target nspawn has containers", id="reboot"),
        pytest.param(
            topology("linux-image-6.1.0-9-amd64"),
            "linux-image-6.1.0-9-amd64: the containers of the target nspawn run the kernel of this machine",
            id="kernel",
        ),
        pytest.param(topology("linux-libc-dev"), "", id="headers"),
    ],
)
def test_missing_machine(wanted: Topology, why: str) -> None:
    assert missing_for("nspawn", wanted) == (f"needs isolation-machine: {why}" if why else "")
    assert {missing_for(driver, wanted) for driver in MACHINES} == {""}


@pytest.mark.parametrize(
    ("error", "needs"),
    [
        pytest.param(
            Failed("web: x.service: modprobe: FATAL: Module dm_thin_pool not found in directory /lib/modules/6.18"),
            True,
            id="modprobe",
        ),
        pytest.param(
            Failed("the package web cannot be installed: status 1 (modprobe: ERROR: could not insert 'nbd': x)"),
            True,
            id="insert",
        ),
        pytest.param(
            InfrastructureError("web: none runs: unmet condition ConditionVirtualization=!container"), True, id="unit"
        ),
        pytest.param(
            Failed("nfs: x.mount does not start: mount: /proc/fs/nfsd: unknown filesystem type 'nfsd'."),
            True,
            id="mount",
        ),
        pytest.param(Failed("web: x.service: module not found: flask"), False, id="python"),
        pytest.param(Failed("web: ModuleNotFoundError: No module named 'modprobe'"), False, id="name"),
        pytest.param(InfrastructureError("node0: apt-get update: 404"), False, id="mirror"),
    ],
)
def test_error_for_want_of_a_machine(error: LabError, *, needs: bool) -> None:
    assert missing_after("nspawn", error) == (f"needs isolation-machine: {error}" if needs else "")
    assert {missing_after(driver, error) for driver in MACHINES} == {""}


def test_kernel_of_a_pocket() -> None:
    assert missing_for_packages("nspawn", ["hello", "linux-image-amd64"]).startswith(
        "needs isolation-machine: linux-image"
    )
    assert missing_for_packages("qemu", ["linux-image-amd64"]) == ""
