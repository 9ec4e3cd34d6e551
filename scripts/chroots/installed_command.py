"""A command of a package of the lab's archive, in a clean chroot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from lab.config.description import Lab
from scripts.archives.serving import served
from scripts.chroots.bootstrap import install_script
from scripts.chroots.chroots import Chroots


def run_installed(lab: Lab, track: str, package: str, command: Sequence[str], log: IO[str]) -> str:
    """Install a package of the lab's archive in a clean chroot, run a command there, and return what it prints.

    Raises InfrastructureError when either fails.
    """
    name = lab.tracks[track].series
    chroots = Chroots.here(log)
    with (
        served(lab, track) as repository,
        chroots.base(name, lab.series[name]) as base,
        chroots.session("installed", base) as session,
    ):
        return session.shell(install_script(package, command, repository), capture=True).stdout
