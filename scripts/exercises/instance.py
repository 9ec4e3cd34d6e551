"""instance: a server is launched from a machine image, shows its user data, stops, starts again, is terminated."""

from __future__ import annotations

import re

from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene
from scripts.exercises.servers import GONE, ROLES, Project, project

NAME = "instance"
# Of a guest's console: each boot shows one.
READY = re.compile(r"^guest: ready$", re.MULTILINE)
USER_DATA = "a word to the guest\nand another one"


def exercise(scene: Scene, cases: Cases) -> None:
    with project(scene, cases, *ROLES) as at:
        with cases.case("it is launched from kernel, ramdisk and machine image") as case:
            image = at.cloud.image.get_image(scene.given.image)
            assert image.kernel_id, "the image names no kernel"  # noqa: S101 - a case is an assertion
            assert image.ramdisk_id, "the image names no ramdisk"  # noqa: S101
            server = at.launch(NAME, USER_DATA)
            case.output = f"{server.id}: kernel {image.kernel_id}, ramdisk {image.ramdisk_id}"
        (port,) = at.cloud.network.ports(device_id=server.id)
        address = port.fixed_ips[0]["ip_address"]
        with cases.case("its console shows the address that neutron leases") as case:
            case.output = console = booted(at, server.id)
            assert f"guest: address {address}/" in console, f"it does not show {address}"  # noqa: S101
        with cases.case("its console shows its user data"):
            for line in USER_DATA.splitlines():
                assert f"guest: user data: {line}\n" in console, f"it does not show: {line}"  # noqa: S101
        with cases.case("it stops"):
            at.cloud.compute.stop_server(server)
            at.reach(server, "SHUTOFF")
        with cases.case("it starts again") as case:
            at.cloud.compute.start_server(server)
            at.reach(server, "ACTIVE")
            case.output = booted(at, server.id)
        with cases.case("it is terminated, and gone"):
            at.cloud.compute.delete_server(server)
            at.reach(server, GONE)


def booted(at: Project, server: str) -> str:
    """Return the guest's console output, once it is ready."""
    console = ""

    def look() -> str:
        nonlocal console
        console = str(at.cloud.compute.get_server_console_output(server)["output"]).replace("\r", "")
        return "ready" if READY.search(console) else "not ready"

    at.wait("the guest", look, "ready")
    return "\n".join(line for line in console.splitlines() if line.startswith("guest: ")) + "\n"
