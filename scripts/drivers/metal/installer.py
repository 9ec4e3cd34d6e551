"""Files for the installers of Debian and Ubuntu, which install a machine as the lab server does: with a pristine snapshot.

The system gets what an image gets (see `scripts.drivers.metal.image`), and its volumes the names that the restorer looks
for.  No installer makes thin volumes: it works on a volume of its own, and a script at its end copies the system.
"""

from __future__ import annotations

import base64
import shlex
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.base.errors import ConfigurationError
from lab.config import apt
from lab.config.description import Lab, Series
from scripts.chroots.bootstrap import NO_DAEMONS
from scripts.drivers.metal import image
from scripts.drivers.systems.content import ARGUMENTS, FEATURES, NOT_QUIET
from scripts.machines import volumes

TEMPLATES: Final = {"debian": "preseed.cfg.j2", "ubuntu": "autoinstall.yaml.j2"}
SCRIPT: Final = "pristine.sh.j2"
BOOT_MB: Final = 1024
INSTALLER_MB: Final = 8192
PACKAGES: Final = ("lvm2", "openssh-server", "thin-provisioning-tools")


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    # The output is not HTML; an undefined name is an error.
    return Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)  # noqa: S701


def answers(lab: Lab, name: str, series_name: str) -> str:
    """Return the preseed for Debian's installer, or the user data for Ubuntu's, for a machine and a series.

    Raises ConfigurationError for what an installer cannot do.
    """
    machine, series = lab.machines[name], lab.series[series_name]
    if machine.disk is None or not machine.installable:
        raise ConfigurationError(f"machines.{name}: it has no mac, address and disk")
    mirror = urlsplit(_mirror(series_name, series))
    return _fill(
        TEMPLATES[series.distribution],
        name=name,
        series_name=series_name,
        codename=series.codename or series_name,
        mirror=mirror,
        disk=machine.disk,
        boot=machine.boot,
        kernel=_kernel(lab),
        packages=PACKAGES,
        boot_mb=BOOT_MB,
        installer_mb=INSTALLER_MB,
        script=base64.b64encode(pristine_script(lab, series_name).encode()).decode(),
    )


def pristine_script(lab: Lab, series_name: str) -> str:
    """Return the shell script that takes the pristine snapshot, at the end of an installation."""
    return _fill(
        SCRIPT,
        sources=apt.unsigned_sources(series_name, lab.series[series_name]),
        content=image.content_script([], (), _kernel(lab)),
        no_daemons=shlex.quote(NO_DAEMONS),
        arguments=ARGUMENTS,
        not_quiet=NOT_QUIET,
        features=FEATURES,
        pristine=volumes.by_installer(series_name),
    )


def _fill(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(values, volumes=volumes)


def _kernel(lab: Lab) -> str | None:
    return lab.lab_server.kernel if lab.lab_server else None


def _mirror(name: str, series: Series) -> str:
    """Return the mirror of a series.  Raises ConfigurationError for one that an installer cannot use."""
    for key in ("keyring", "archives"):
        if getattr(series, key):
            raise ConfigurationError(f"series.{name}.{key}: an installer has the keys of the distribution alone")
    for line in apt.unsigned_sources(name, series):
        parts = urlsplit(line.split()[1])
        if parts.scheme not in {"http", "https"}:
            raise ConfigurationError(
                f"series {name}: an installer reads its mirror by http or https, not {parts.scheme}"
            )
        if "@" in parts.netloc:
            raise ConfigurationError(
                f"series {name}: the URL of the mirror has a login, which these files would show to everybody",
                hint=f"name another mirror in series.{name}.mirror",
            )
    return apt.mirror(name, series).rstrip("/")
