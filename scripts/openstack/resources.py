"""The resources that exercises need in a cloud, found or created: HOME [GUEST]; runs where it can reach the cloud.

HOME is the environment's directory, which gets the result (see `scripts.services.cloud_settings`); GUEST is the
directory of the machine to start.  Each resource is created where its service is deployed, and only when it does not
exist yet.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.base.run import run
from scripts.openstack.cloud import DOMAIN, Cloud, connect, first, sdk_errors_as_failures
from scripts.openstack.guest import Guest
from scripts.services.cloud_settings import FILE, Configured
from scripts.services.deployed_state import Deployed

NAME = "qalab"
EXTERNAL = "external"
CIDR = "192.168.80.0/24"
# What a guest needs; the disk is the least that nova knows of, in GiB.
FLAVOR = {"ram": 128, "vcpus": 1, "disk": 1}
OPEN: Mapping[str, Mapping[str, int]] = {"icmp": {}, "tcp": {"port_range_min": 22, "port_range_max": 22}}
# A guest lives in its ramdisk; its disk is there because nova starts nothing without one.
DISK = bytes(1 << 20)
COMMAND_LINE = "console=ttyS0 quiet"


def make(deployed: Deployed, home: Path, guest: Guest | None) -> Configured:
    """Create all resources for which a service is deployed."""
    settings = {service.role: service.settings for service in deployed.services.values()}
    admin = connect(settings["keystone"])
    values = person(admin, settings["keystone"])
    mine = connect(settings["keystone"], user=values["user"], password=values["password"], project=values["project"])
    values |= credentials(mine, settings["keystone"]["auth_url"])
    if "neutron" in settings:
        values["external_network"] = external_network(admin, settings["neutron"])
        values |= network(mine, values["external_network"])
    if "nova" in settings:
        flavor = first(each for each in admin.compute.flavors() if each.name == NAME)
        values["flavor"] = (flavor or admin.compute.create_flavor(name=NAME, **FLAVOR)).id
        values |= key_pair(mine, home)
    if guest:
        values["image"] = image(admin, guest)
    return Configured(**values)


def person(admin: Cloud, settings: Mapping[str, str]) -> dict[str, str]:
    """Return a user in a project; the password derives from the administrator's, so that a second call finds it again."""
    identity, password = admin.identity, hashlib.sha256(f"{NAME} {settings['password']}".encode()).hexdigest()
    project = first(identity.projects(name=NAME)) or identity.create_project(name=NAME, domain_id=DOMAIN)
    user = first(identity.users(name=NAME)) or identity.create_user(name=NAME, password=password, domain_id=DOMAIN)
    role = first(identity.roles(name="member"))
    identity.assign_project_role_to_user(project, user, role or identity.create_role(name="member"))
    return {"user": NAME, "password": password, "project": NAME}


def credentials(mine: Cloud, auth_url: str) -> dict[str, str]:
    """Credentials in the style of EC2: see keystone's API, OS-EC2, which the SDK does not know."""
    session = mine.session
    where, project = f"{auth_url}/users/{session.get_user_id()}/credentials/OS-EC2", session.get_project_id()
    existing = first(each for each in session.get(where).json()["credentials"] if each["tenant_id"] == project)
    found = existing or session.post(where, json={"tenant_id": project}).json()["credential"]
    return {"access": found["access"], "secret": found["secret"]}


def external_network(admin: Cloud, settings: Mapping[str, str]) -> str:
    """Return the id of the network of floating addresses: all of its addresses except the gateway's."""
    flat = {"provider_network_type": "flat", "provider_physical_network": settings["physical_network"]}
    found = first(admin.network.networks(name=EXTERNAL)) or admin.network.create_network(
        name=EXTERNAL, is_router_external=True, **flat
    )
    if not first(admin.network.subnets(network_id=found.id)):
        cidr, gateway = settings["external_cidr"], settings["external_gateway"]
        _, *pool = ip_network(cidr).hosts()
        admin.network.create_subnet(
            name=EXTERNAL, network_id=found.id, ip_version=4, cidr=cidr, gateway_ip=gateway, is_dhcp_enabled=False,
            allocation_pools=[{"start": str(pool[0]), "end": str(pool[-1])}],
        )  # fmt: skip
    return str(found.id)


def network(mine: Cloud, external: str) -> dict[str, str]:
    """Return a network connected to a router, and a security group that admits ping and ssh."""
    at = mine.network
    made = first(at.networks(name=NAME)) or at.create_network(name=NAME)
    subnet = first(at.subnets(network_id=made.id)) or at.create_subnet(
        name=NAME, network_id=made.id, ip_version=4, cidr=CIDR
    )
    gateway = {"network_id": external}
    router = first(at.routers(name=NAME)) or at.create_router(name=NAME, external_gateway_info=gateway)
    if not router.external_gateway_info:
        at.update_router(router, external_gateway_info=gateway)
    if not first(at.ports(device_id=router.id, network_id=made.id)):
        at.add_interface_to_router(router, subnet=subnet.id)
    group = first(at.security_groups(name=NAME)) or at.create_security_group(name=NAME)
    protocols = {rule.protocol for rule in at.security_group_rules(security_group_id=group.id, direction="ingress")}
    for protocol in OPEN.keys() - protocols:
        values: dict[str, Any] = {"security_group_id": group.id, "protocol": protocol, **OPEN[protocol]}
        at.create_security_group_rule(direction="ingress", ether_type="IPv4", **values)
    return {"network": made.id, "subnet": subnet.id, "router": router.id, "security_group": group.id}


def key_pair(mine: Cloud, home: Path) -> dict[str, str]:
    """Return the name of a key pair and the path of its private key."""
    path = home / "id_ed25519"
    public = path.with_suffix(".pub")
    if not public.exists():  # which is written last
        path.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", path])
    text = public.read_text().strip()
    existing = first(each for each in mine.compute.keypairs() if each.name == NAME)
    if existing and existing.public_key.strip() != text:
        mine.compute.delete_keypair(NAME)
        existing = None
    if not existing:
        mine.compute.create_keypair(name=NAME, public_key=text)
    return {"key_pair": NAME, "key": str(path)}


def image(admin: Cloud, guest: Guest) -> str:
    """Upload a public machine image of the guest and return its id."""
    kernel = _upload(admin, f"{NAME}-kernel", guest.kernel.read_bytes(), disk_format="aki", container_format="aki")
    ramdisk = _upload(admin, f"{NAME}-ramdisk", guest.ramdisk.read_bytes(), disk_format="ari", container_format="ari")
    # Of the format ami, which names a kernel and a ramdisk by right, nova starts nothing.
    booted = {"kernel_id": kernel, "ramdisk_id": ramdisk, "os_command_line": COMMAND_LINE}
    return _upload(admin, NAME, DISK, disk_format="raw", container_format="bare", **booted)


def _upload(admin: Cloud, name: str, content: bytes, **values: Any) -> str:
    """Return the image of this name and content; delete others of the name, and incomplete uploads."""
    digest, found = hashlib.sha512(content).hexdigest(), ""
    for each in admin.image.images(name=name):
        booted = (each.kernel_id, each.ramdisk_id) == (values.get("kernel_id"), values.get("ramdisk_id"))
        same = each.status == "active" and each.hash_value == digest and booted
        if same and not found:
            found = each.id
        else:
            admin.image.delete_image(each.id)
    if not found:
        values |= {"visibility": "public", "allow_duplicates": True}
        found = admin.image.create_image(name, data=content, **values).id
    return found


def main(home: Path, guest: Path | None) -> int:
    deployed = Deployed.of(home)
    assert deployed  # noqa: S101 - the step has looked
    with sdk_errors_as_failures():
        made = make(deployed, home, Guest(guest) if guest else None)
    made.write(home / FILE)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None))
    except LabError as error:
        print(error)  # noqa: T201
        sys.exit(error.exit_code)
