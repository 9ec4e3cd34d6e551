"""The configuration of a cloud, for exercises: one JSON file in the environment's directory.

It contains passwords of the deployment, which are useless outside the environment.
"""

from __future__ import annotations

from pathlib import Path

from lab.store.records import Stored

FILE = "cloud.json"


class Configured(Stored):
    """The user and resources of exercises: names, ids, a path; "" where the service is not deployed."""

    user: str
    password: str
    project: str
    access: str
    """Of the credentials in the style of EC2, with ``secret``."""
    secret: str
    external_network: str = ""
    network: str = ""
    subnet: str = ""
    router: str = ""
    security_group: str = ""
    flavor: str = ""
    key_pair: str = ""
    key: str = ""
    """Where the private key lies."""
    image: str = ""

    @classmethod
    def of(cls, home: Path) -> Configured | None:
        """Return the configuration of an environment; None when it was not configured."""
        path = home / FILE
        return cls.read(path) if path.exists() else None
