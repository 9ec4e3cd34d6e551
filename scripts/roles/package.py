"""package: any package; its enabled services are started, and have to stay.

Options: ``health``, a command that succeeds once the application is well (it is asked for ``patience`` seconds,
60 when not said); for the exercise ``command``: ``command`` and what it ``prints``.
"""

from __future__ import annotations

import shlex

from scripts.targets.deployed import Service
from scripts.targets.site import PATIENCE_SECONDS, Site
from scripts.targets.topology import Application

NAME = "package"
PACKAGES: tuple[str, ...] = ()
SUPPORTING = False


def set_up(site: Site, application: Application) -> Service:
    units: dict[str, None] = {}
    for node in site.nodes_of(application):
        found = site.enabled_units(node, application)
        site.start(node, application, *found)
        if health := application.options.get("health"):
            patience = int(application.options.get("patience", PATIENCE_SECONDS))
            site.wait_until_well(node, application, shlex.split(str(health)), patience)
        units |= dict.fromkeys(found)
    return site.service(application, units)
