"""instance: a server is launched from a machine image, shows its user data, stops, starts again, is terminated."""

from __future__ import annotations

from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene
from scripts.exercises.servers import CLEANED, EMPTIED, GONE, ROLES, project

NAME = "instance"
NEEDS = ("keystone", *ROLES)
LAUNCHED, LEASED, TOLD, STOPPED, STARTED, TERMINATED = (
    "it is launched from kernel, ramdisk and machine image",
    "its console shows the address that neutron leases",
    "its console shows its user data",
    "it stops",
    "it starts again",
    "it is terminated, and gone",
)
CASES = (EMPTIED, LAUNCHED, LEASED, TOLD, STOPPED, STARTED, TERMINATED, CLEANED)
USER_DATA = "a word to the guest\nand another one"


def exercise(scene: Scene, cases: Cases) -> None:
    with project(scene, cases, *ROLES) as at:
        with cases.case(LAUNCHED) as case:
            image = at.cloud.image.get_image(scene.given.image)
            assert image.kernel_id, "the image names no kernel"  # noqa: S101 - a case is an assertion
            assert image.ramdisk_id, "the image names no ramdisk"  # noqa: S101
            server = at.launch(NAME, USER_DATA)
            case.output = f"{server.id}: kernel {image.kernel_id}, ramdisk {image.ramdisk_id}"
        (port,) = at.cloud.network.ports(device_id=server.id)
        address = port.fixed_ips[0]["ip_address"]
        with cases.case(LEASED) as case:
            case.output = console = at.booted(server)
            assert f"guest: address {address}/" in console, f"it does not show {address}"  # noqa: S101
        with cases.case(TOLD):
            for line in USER_DATA.splitlines():
                assert f"guest: user data: {line}\n" in console, f"it does not show: {line}"  # noqa: S101
        with cases.case(STOPPED):
            at.cloud.compute.stop_server(server)
            at.reach(server, "SHUTOFF")
        with cases.case(STARTED) as case:
            at.cloud.compute.start_server(server)
            at.reach(server, "ACTIVE")
            case.output = at.booted(server)
        with cases.case(TERMINATED):
            at.cloud.compute.delete_server(server)
            at.reach(server, GONE)
