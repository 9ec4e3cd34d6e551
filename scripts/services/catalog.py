"""Keystone's catalog: the endpoint of each service of a deployment, and its user."""

from __future__ import annotations

from scripts.drivers.topology import Application
from scripts.services import queries
from scripts.services.site import Site


def enter(site: Site, keystone: Application) -> None:
    """Register all services of the deployment in the catalog.  Raises keystone's fault when keystone refuses."""
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
