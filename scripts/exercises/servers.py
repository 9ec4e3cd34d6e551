"""Shared parts of exercises of a cloud: a project that ends as empty as it began, servers, waits for states.

Only exercises use the project, so anything left in it comes from an exercise that was killed.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.base.errors import Failed
from scripts.exercises.cases import Cases, Over
from scripts.exercises.scene import Scene
from scripts.openstack.cloud import Cloud, connect

if TYPE_CHECKING:
    from openstack.compute.v2.server import Server
    from openstack.network.v2.floating_ip import FloatingIP

PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.5
# Between two looks at whether the services run at all.
AILING_SECONDS = 10.0
# The roles whose services take part in the start of a server.
ROLES = ("glance", "placement", "nova", "nova-compute", "neutron")
GONE = "gone"
# The cases around those of an exercise.
EMPTIED, CLEANED = "nothing is left of others", "all is cleaned up"
# Of the time that a guest takes to boot.
DHCP = ("journalctl", "--quiet", "--no-pager", "--output=cat", "--identifier=dnsmasq-dhcp", "--since=-5min")
# Of a guest's console: each boot shows one of each.
ADDRESS = re.compile(r"^guest: address \S+$", re.MULTILINE)
READY = re.compile(r"^guest: ready$", re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """The cloud as seen by the user of the exercises; ``roles`` are those whose services take part."""

    scene: Scene
    cloud: Cloud
    roles: tuple[str, ...]

    def wait(self, what: str, look: Callable[[], str], *wanted: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Look until a state is one that is wanted.

        Raises Failed when it is an error, when it is not in time, and when a service that takes part does not run.
        """
        began = checked = time.monotonic()
        while (state := look()) not in wanted:
            now, why = time.monotonic(), ""
            if state.lower().startswith("error"):
                why = self.scene.ailing(*self.roles) or "see the logs of its services"
            elif now > checked + AILING_SECONDS:
                checked, why = now, self.scene.ailing(*self.roles)
            if not why and now > began + seconds:
                why = f"after {seconds:g} s"
            if why:
                raise Failed(f"{what} is {state} and not {wanted[0]}: {why}")
            time.sleep(LOOK_SECONDS)

    def launch(self, name: str, user_data: str = "") -> Server:
        """Start a server and return it when it is ACTIVE."""
        given = self.scene.given
        server = self.cloud.compute.create_server(
            name=name,
            image_id=given.image,
            flavor_id=given.flavor,
            key_name=given.key_pair,
            networks=[{"uuid": given.network}],
            security_groups=[{"name": given.security_group}],
            **({"user_data": base64.b64encode(user_data.encode()).decode()} if user_data else {}),
        )
        self.reach(server, "ACTIVE")
        return server

    def reach(self, server: Server, *states: str) -> None:
        """Wait until a server is in a state."""
        self.wait(f"the server {server.name}", lambda: self.state(server), *states)

    def booted(self, server: Server, sign: re.Pattern[str] = READY) -> str:
        """Wait until a server's guest shows a sign on its console; return what it printed there."""
        console = ""

        def look() -> str:
            nonlocal console
            console = str(self.cloud.compute.get_server_console_output(server.id)["output"]).replace("\r", "")
            if sign.search(console):
                return "ready"
            last = next((line for line in reversed(console.splitlines()) if line.strip()), "its console is empty")
            return f"booting ({last.strip()})"

        try:
            self.wait("the guest", look, "ready")
        except Failed as error:
            raise Failed(f"{error}{self._network_of(server)}") from None
        return "\n".join(line for line in console.splitlines() if line.startswith("guest: ")) + "\n"

    def _network_of(self, server: Server) -> str:
        """Return what neutron and its DHCP servers say of the ports of a server, for a message."""
        told = ""
        for port in self.cloud.network.ports(device_id=server.id):
            told += f"; its port {port.mac_address} is {port.status}"
            lines = [line for _, service, node in self.scene.places() if service.role == "neutron"
                     for line in node.run(DHCP, capture=True, check=False).stdout.splitlines()]  # fmt: skip
            own = [line for line in lines if port.mac_address in line]
            told += f", dnsmasq: {own[-1]}" if own else ", and dnsmasq heard nothing from it" if lines else ""
        return told

    def state(self, server: Server) -> str:
        """Return a server's state; for an error, with nova's reason."""
        for each in self.cloud.compute.servers():
            if each.id == server.id:
                return f"{each.status} ({(each.fault or {}).get('message')})" if each.fault else str(each.status)
        return GONE

    def address(self, server: Server) -> FloatingIP:
        """Create a floating address and associate it with a server."""
        given, network = self.scene.given, self.cloud.network
        (port,) = network.ports(device_id=server.id)
        return network.create_ip(floating_network_id=given.external_network, port_id=port.id)

    def sweep(self) -> str:
        """Delete everything in the project, and return what it was."""
        compute, network = self.cloud.compute, self.cloud.network
        found = []
        for server in compute.servers():
            compute.delete_server(server)
            found.append(f"server {server.name}")
        for address in network.ips():
            network.delete_ip(address)
            found.append(f"address {address.floating_ip_address}")
        self.wait("what is left of servers", lambda: _named(compute.servers()), GONE, seconds=60)
        if "cinder" in self.roles:
            found += self._sweep_volumes()
        return ", ".join(found)

    def _sweep_volumes(self) -> list[str]:
        mine = self.cloud.block_storage
        found = [*mine.volumes()]
        if found:
            # Only an administrator can delete a volume that waits for a stopped service.
            admin = connect(self.scene.role("keystone").settings).block_storage
            for volume in found:
                admin.reset_volume_status(volume, status="error", attach_status="detached", migration_status=None)
                mine.delete_volume(volume)
            self.wait("what is left of volumes", lambda: _named(mine.volumes()), GONE, seconds=60)
        return [f"volume {volume.name}" for volume in found]


def _named(found: Any) -> str:
    return ", ".join(sorted(f"{each.name} ({each.status})" for each in found)) or GONE


@contextmanager
def project(scene: Scene, cases: Cases, *roles: str) -> Iterator[Project]:
    """Yield the project of the exercises; empty it before and after, each as a case.

    Raises ConfigurationError when the deployment does not have all roles.
    """
    for role in roles:
        scene.role(role)
    found = Project(scene, scene.cloud(), roles)
    with cases.case(EMPTIED) as case:
        case.output = found.sweep()
    try:
        yield found
    finally:
        with suppress(Over), cases.case(CLEANED) as case:
            case.output = found.sweep()
