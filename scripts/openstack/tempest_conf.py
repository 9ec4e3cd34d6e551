"""tempest.conf for the deployed cloud: HOME; runs where it can reach the cloud.

HOME is the environment's directory; the program prints the content of the file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lab.base.errors import ConfigurationError, LabError
from scripts.openstack.cloud import connect, sdk_errors_as_failures
from scripts.roles.config_files import fill
from scripts.services.cloud_settings import Configured
from scripts.services.deployed_state import Deployed

# Where Tempest works, in its own system, and its log there.
PLACE = "/srv/tempest"
AUTHORITY = "authority.pem"
LOG = "tempest.log"
# Tempest's names; by default it assumes that most of these services exist.
SERVICES = ("cinder", "glance", "horizon", "neutron", "nova", "swift")


def configuration(deployed: Deployed, made: Configured | None, extensions: Sequence[str] = ()) -> str:
    """Return the text of tempest.conf; ``extensions`` are those of the network API.

    Raises ConfigurationError for a deployment without keystone, and for one with nova that was not configured.
    """
    settings = {service.role: service.settings for service in deployed.services.values()}
    if "keystone" not in settings:
        raise ConfigurationError("Tempest needs a keystone, and the deployment has none")
    if "nova" in settings and not made:
        hint = f"the step configure makes them: qalab run {deployed.track} {deployed.component}"
        raise ConfigurationError("Tempest needs an image, a flavour and a network, and there are none", hint=hint)
    return fill(
        "tempest.conf.j2",
        identity=settings["keystone"],
        services={name: name in settings for name in SERVICES},
        made=made,
        extensions=extensions,
        place=PLACE,
        authority=AUTHORITY,
        log=LOG,
    )


def main(home: Path) -> int:
    deployed = Deployed.of(home)
    assert deployed  # noqa: S101 - the step has looked
    extensions: list[str] = []
    if any(service.role == "neutron" for service in deployed.services.values()):
        keystone = next(service for service in deployed.services.values() if service.role == "keystone")
        with sdk_errors_as_failures():
            extensions = sorted(each.alias for each in connect(keystone.settings).network.extensions())
    print(configuration(deployed, Configured.of(home), extensions), end="")  # noqa: T201
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except LabError as error:
        print(error)  # noqa: T201
        sys.exit(error.exit_code)
