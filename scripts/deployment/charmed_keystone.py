"""What clients of a charmed keystone need: its address, its certificate, its administrator.

The charm serves TLS with the certificates of a relation ``certificates``, such as one to vault, or of its options
``ssl_cert`` and ``ssl_ca``.  Where its option ``vip`` is set, clients use that address (see its ``config.yaml``).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from lab.base.errors import InfrastructureError
from scripts.drivers.juju.client import ActionFailed, JujuModel
from scripts.drivers.juju.status import ApplicationStatus, Status
from scripts.drivers.juju.vault import CHARM as VAULT
from scripts.drivers.topology import Application
from scripts.roles import keystone

ACTION: Final = "get-admin-password"
PASSWORD: Final = "admin-password"  # noqa: S105 - a name
CERTIFICATES: Final = "certificates"
DOMAIN: Final = "admin_domain"
"""The administrator's, whatever the options of the charm."""


def settings(model: JujuModel, application: Application, status: Status) -> dict[str, str]:
    """Return the settings of a keystone; the password appears on no command line and in no log.

    ``ca``: the certificate of the authority, as PEM, where the charm serves TLS with one of its own.
    Raises Failed, and InfrastructureError where the controller, or the authority's certificate, is not to be had.
    """
    there = status.applications[application.name]
    unit = next((each for each in there.units.values() if each.leader), next(iter(there.units.values())))
    options = model.options(application.name)
    try:
        password = model.run_action(f"{application.name}/leader", ACTION).get(PASSWORD)
    except ActionFailed as error:
        raise application.fault(str(error)) from None
    if not password:
        raise application.fault(f"{ACTION} returns no {PASSWORD}")
    ca = _authority(model, application.name, there, options)
    address = options.get("vip", "").split()[:1] or [unit.address]
    port = options.get("service-port") or keystone.PORT
    made = {
        "auth_url": f"{'http' if ca is None else 'https'}://{_in_url(address[0])}:{port}/v3",
        "user": keystone.ADMIN,
        "password": str(password),
        "domain": DOMAIN,
        "region": options.get("region") or keystone.REGION,
    }
    return made | {"ca": ca} if ca else made


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _authority(model: JujuModel, name: str, there: ApplicationStatus, options: Mapping[str, str]) -> str | None:
    """Return the certificate of the authority; "": one that every machine knows, None: no TLS."""
    if options.get("ssl_cert"):
        try:
            return base64.b64decode(options.get("ssl_ca", "")).decode("ascii", "replace")
        except ValueError:
            raise InfrastructureError(f"{name}: its option ssl_ca is not Base64") from None
    issuers = there.relations.get(CERTIFICATES, ())
    if not issuers:
        return None
    if VAULT not in issuers:
        hint = "vault is the authority whose certificate is known"
        raise InfrastructureError(f"{name}: its certificates are those of {', '.join(issuers)}", hint=hint)
    if authority := model.run_action(f"{VAULT}/leader", "get-root-ca").get("output"):
        return str(authority)
    raise InfrastructureError(f"{VAULT}: get-root-ca returns no certificate")
