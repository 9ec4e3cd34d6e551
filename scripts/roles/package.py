"""package: any package; its enabled services are started, and have to stay.

Options: ``health``, a command that succeeds once the application is well (it is asked for ``patience`` seconds,
60 when not said); for the exercise ``command``: ``command`` and what it ``prints``.
"""

from __future__ import annotations

import shlex

from scripts.targets import systemd, waiting
from scripts.targets.deployed import Service
from scripts.targets.site import Site
from scripts.targets.topology import Application

NAME = "package"
PACKAGES: tuple[str, ...] = ()
SUPPORTING = False
ENDPOINT = None


def describe(site: Site, application: Application) -> Service:
    units = dict.fromkeys(unit for node in site.nodes_of(application) for unit in systemd.enabled(node, application))
    return site.service(application, units)


def configure(site: Site, application: Application) -> None:
    """It is as its packages have configured it."""


def start(site: Site, application: Application) -> None:
    for node in site.nodes_of(application):
        systemd.start(site, node, application, *systemd.enabled(node, application))
        if health := application.options.get("health"):
            patience = int(application.options.get("patience", waiting.PATIENCE_SECONDS))
            waiting.until_succeeds(site, node, application, shlex.split(str(health)), patience)
