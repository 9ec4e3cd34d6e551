"""Virtual machines: modules of the kernel, a boot loader and reboots, a reset from memory, and no leftovers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.base.clock import Clock
from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.deployment import environments
from scripts.drivers.nspawn import leftovers
from scripts.drivers.qemu import driver
from scripts.drivers.qemu.image import DiskImage
from tests.conftest import Bench
from tests.integration.test_deploy import Place, service
from tests.processes import wait_for

# By emulation, a boot takes half a minute of a processor, and the image of the disk a minute.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(driver.missing_prerequisite()), reason="qemu is not installed"),
]
# A boot sector: mov dx, COM1; mov al, "X"; out dx, al; then hlt for ever.
PRINTS_X = bytes.fromhex("ba f8 03 b0 58 ee f4 eb fd")
MODULE = "dm_thin_pool"
ARGUMENT = "qalab.greet=1"
# A service that needs a module, and an argument that the kernel gets from the boot loader at the next boot.
DAEMON = (
    f"set -e; modprobe {MODULE}; grep -w {MODULE} /proc/modules; grep -w {ARGUMENT} /proc/cmdline; exec sleep infinity"
)


@pytest.fixture
def place(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], shared_cache: Path) -> Iterator[Place]:
    made = Place(lab_factory(track={"phases": ["build", "deploy", "exercise"]}), bench)
    yield made
    for name in environments.names(made.lab):
        environments.target(made.lab, name).destroy()
    assert made.left == []


def onto(place: Place, target: str, *exercises: object, **application: object) -> None:
    applications = {"greet": {"role": "package", **application}}
    deployment = {"target": target, "settle_seconds": 1, "applications": applications, "exercises": exercises}
    data = place.lab.model_dump(mode="json", exclude_unset=True) | {"deployment": deployment}
    where = {"file": place.lab.file, "home": place.lab.file.parent}
    place.lab = place.lab.model_validate(data, strict=False, context=where)


def kernel_package() -> tuple[tuple[str, str], ...]:
    """Return the files of a package with a daemon that needs a module, and a reboot after its installation."""
    daemon = dict(service(DAEMON))
    grub = f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {ARGUMENT}"\n'
    update = "[ ! -x /usr/sbin/update-grub ] || update-grub\n"
    return (
        *(daemon | {"DEBIAN/postinst": daemon["DEBIAN/postinst"] + update}).items(),
        ("etc/default/grub.d/zz-greet.cfg", grub),
    )


def test_machine_that_does_not_boot(tmp_path: Path) -> None:
    """Its console is evidence, and nothing of it works on; two machines have a bridge and a console each."""
    disk = tmp_path / "image"
    disk.write_bytes(PRINTS_X.ljust(510, b"\0") + b"\x55\xaa" + bytes(2**20))
    home, now = tmp_path / "environments/a", [0.0]
    consoles = [home / f"nodes/node{number}/console" for number in (0, 1)]

    def sleep(_: float) -> None:
        assert wait_for(lambda: all(b"X" in path.read_bytes() for path in consoles))
        now[0] += driver.BOOT_SECONDS + 1

    target = driver.QemuTarget(home, clock=Clock(lambda: now[0], sleep))
    with pytest.raises(InfrastructureError, match=r"^the node node0 does not boot: node0 .*: X$"):
        target.create(DiskImage(disk, (), {}), ["node0", "node1"])
    assert target.nodes() == []
    target.collect_logs(tmp_path / "logs")
    assert [(tmp_path / f"logs/node{number}/console.log").read_text() for number in (0, 1)] == ["X", "X"]
    assert [line for line in leftovers.left_by(home.parent) if line.startswith("process")] == []
    assert target.destroy()
    assert leftovers.left_by(home.parent) == []


@pytest.mark.full
def test_module_and_reboot_on_machine(place: Place) -> None:
    program = place.lab.file.parent / "smoke"
    program.write_text("#!/bin/sh\nexec systemctl is-active greet\n")
    program.chmod(0o755)
    smoke = {"name": "smoke", "run": "smoke", "where": "greet"}
    command = {"command": f"grep -ow {ARGUMENT} /proc/cmdline", "prints": ARGUMENT}
    onto(place, "qemu", smoke, reboot=True, options=command)
    at, record = place.deploy(files=kernel_package(), control="Depends: kmod\n")
    assert record.verdict == "passed", record.message
    assert record.facts["services"] == {"greet": ["greet.service"]}
    assert record.facts["snapshot"]["accelerator"] in {"kvm", "tcg"}
    assert record.facts["seconds"]["reboot"] > 1
    console = (at.run.results / "nodes/node0/console.log").read_text(errors="replace")
    assert console.count("Linux version ") == 2
    assert ARGUMENT in console
    assert "install greet" in (at.run.results / "nodes/node0/dpkg.log").read_text()

    at, record = place.exercise("1.0-1")
    assert record.verdict == "passed", record.message

    (node,) = environments.reset(place.lab, "trunk")
    assert node.run(["sh", "-c", f"! grep -w {ARGUMENT} /proc/cmdline; ! dpkg -s greet"], check=False)
    assert abs(float(node.run(["date", "+%s"], capture=True).stdout) - float(driver.environment.now().timestamp())) < 60
    home = Store.of(place.lab).environments / "trunk"
    assert leftovers.left_by(home.parent) != []
    assert driver.target(home).destroy()
    assert place.left == []


@pytest.mark.parametrize(
    ("application", "why"),
    [
        ({"reboot": True}, "needs isolation-machine: greet: reboots its nodes; the target nspawn has containers"),
        ({"isolation": "machine"}, "needs isolation-machine: greet: isolation: machine; the target nspawn has"),
        ({}, "needs isolation-machine: greet: greet.service"),
    ],
    ids=["reboot", "machine", "module"],
)
def test_container_is_not_enough(place: Place, application: dict[str, object], why: str) -> None:
    onto(place, "nspawn", **application)
    _, record = place.deploy(files=service(DAEMON), control="Depends: kmod\n")
    assert (record.verdict, record.message[: len(why)]) == ("skipped", why)
    assert application or "Module dm_thin_pool not found in directory /lib/modules" in record.message
    _, record = place.exercise("1.0-1")
    assert record.verdict != "passed"
