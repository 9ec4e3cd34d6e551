"""Applications deployed as charms: Juju knows any role that has a charm.

Applications that install from the lab's archive are tested; all others support them, and their faults are the lab's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.config.deployment import ApplicationSettings
from lab.store.run_directory import WHOLE
from scripts.drivers.topology import Application, Charm, CharmRole

# Where a charm is called otherwise than the role that packages play.
CHARMS = {"rabbitmq": "rabbitmq-server"}
NONE_SUCH = {"package", "mariadb"}
UNITS = "deployment.applications"


def application(lab_file: Path, name: str, unit: ApplicationSettings, built: Iterable[str]) -> Application:
    """Return an application.  Raises ConfigurationError when neither lab.yaml nor qalab names its charm."""
    if not unit.charm and unit.role in NONE_SUCH:
        raise ConfigurationError(f"{lab_file}: {UNITS}.{name}.charm: missing: no charm is called {unit.role}")
    charm = Charm(unit.charm or CHARMS.get(unit.role, unit.role), unit.channel, unit.origin)
    nodes = tuple(f"node{number}" for number in unit.to)
    role = CharmRole(unit.role, SUPPORTING=not unit.origin)
    return Application(name, role, tuple(unit.packages or built), nodes, unit.options, charm)


def check(lab_file: Path, units: Mapping[str, ApplicationSettings], component: str) -> None:
    """Raise ConfigurationError when the bundle would not deploy the component from the lab's archive."""
    of_it = {name: unit for name, unit in units.items() if component in {WHOLE, name, unit.role}}
    if not of_it:
        known = ", ".join(units) or "none"
        raise ConfigurationError(
            f"{lab_file}: {UNITS}: none is of {component}, and Juju deploys charms; there is: {known}"
        )
    if not any(unit.origin for unit in of_it.values()):
        hint = "openstack-origin for most of OpenStack's, else source"
        names = ", ".join(of_it)
        raise ConfigurationError(
            f"{lab_file}: {UNITS}: {names}: no origin, so nothing would come from the lab's archive; name the charm's option for it",
            hint=hint,
        )
