"""Keystone's catalog: where each service of a deployment is, and the user that it is."""

from __future__ import annotations

from scripts.drivers.topology import Application
from scripts.services import queries
from scripts.services.site import Site


def enter(site: Site, keystone: Application) -> None:
    """Enter all services of the deployment into the catalog.  Raises keystone's fault when it refuses."""
    services = [
        {
            "name": each.role.NAME,
            "kind": endpoint.kind,
            "url": f"{site.url(each)}{endpoint.path}",
            "password": site.passwords.of(each.role.NAME),
        }
        for each in site.applications
        if (endpoint := each.role.ENDPOINT)
    ]
    if why := queries.ask_cloud(site, "enter", services=services):
        raise keystone.fault(f"does not enter services into its catalog: {why}")
