"""package: any package; it starts the units enabled by the package and its dependencies, which have to keep running.

Options: ``health``, a command that succeeds once the application is well (repeated for ``patience`` seconds, default
60); for the exercise ``command``: ``command`` and the text that it ``prints``.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import chain

from lab.config.application_options import Options, command_fault, seconds_fault
from scripts.drivers.topology import Application
from scripts.services import systemd, waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "package"
PACKAGES: tuple[str, ...] = ()
SUPPORTING = False
ENDPOINT = None
NOT_ENABLED = "it is not enabled there"
OPTIONS: Options = {"health": command_fault, "patience": seconds_fault}


def describe(site: Site, application: Application) -> Service:
    found = dict.fromkeys(
        unit
        for node in site.nodes_of(application)
        for unit in (*site.units(node, application).needed, *site.units(node, application).named)
    )
    return site.service(application, found)


def configure(site: Site, application: Application) -> None:
    """Do nothing: the packages have configured it."""


def start(site: Site, application: Application) -> None:
    start_units(site, application)
    for node in site.nodes_of(application):
        if health := application.options.get("health"):
            patience = int(application.options.get("patience", waiting.PATIENCE_SECONDS))
            waiting.until_succeeds(site, node, application, shlex.split(str(health)), patience)


def start_units(site: Site, application: Application, more: Sequence[str] = ()) -> None:
    """Start the units of packages, and ``more``; note which of them run, and where."""
    runs: dict[str, tuple[str, ...]] = {}
    idle: dict[str, dict[str, str]] = {}
    for node in site.nodes_of(application):
        units = site.units(node, application)
        names = dict.fromkeys((*units.named, *more))
        idle[node.name] = dict(units.idle) | systemd.start(site, node, application, *names, needed=units.needed)
        runs[node.name] = tuple(unit for unit in (*units.needed, *names) if unit not in idle[node.name])
    everywhere = tuple(dict.fromkeys(chain(*runs.values())))
    absent = {
        node: {unit: idle[node].get(unit, NOT_ENABLED) for unit in everywhere if unit not in its}
        for node, its in runs.items()
    }
    found = {
        "units": everywhere,
        "idle": {unit: why for each in idle.values() for unit, why in each.items() if unit not in everywhere},
        "absent": {node: its for node, its in absent.items() if its},
    }
    site.services[application.name] = site.services[application.name].model_copy(update=found)
