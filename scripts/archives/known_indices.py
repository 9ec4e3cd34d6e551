"""What a build knows of the distribution's and the lab's indices without asking apt in a chroot."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import IO

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, TimedOut, run
from lab.config import apt
from lab.config.description import Lab, Series
from lab.store.archive_place import reader_of
from lab.store.step import architecture
from scripts.archives.private_apt import own_apt
from scripts.archives.series_index import IMPATIENT, PATIENCE_SECONDS
from scripts.chroots.dependency_answers import Known

NAMES = re.compile(r"^(?:Package|Provides):((?:.*)(?:\n[ \t].*)*)", re.MULTILINE)
NAME = re.compile(r"(?:^|,)\s*([a-z0-9][a-z0-9+.-]*)")
# apt installs such a package though nothing depends on it.
UNASKED = re.compile(r"^(?:Essential|Important|Protected): yes$", re.MULTILINE)


def known(lab: Lab, name: str, suite: str, log: IO[str]) -> Known:
    """Return what is known for a build in a series that takes packages from a suite of the lab's archive."""
    return Known(releases(name, lab.series[name], log), offered(lab, suite))


def releases(name: str, series: Series, log: IO[str]) -> dict[str, str]:
    """Return the digests of the signed Release files of a series and its pockets now, by the names that apt gives them.

    None of the indices is downloaded.  Empty where the mirror does not answer as apt demands: apt says so in the chroot.
    """
    home, sources = environment.cache_home() / "releases" / name, apt.sources(name, series)
    with files.locked(home / "lock"), suppress(ProgramFailed, TimedOut):
        options = [
            *own_apt(home, sources),
            f"-oAPT::Architectures={architecture()}",
            *(f"-oAcquire::IndexTargets::deb::{each}::DefaultEnabled=false" for each in ("Packages", "Translations")),
            "-oAcquire::Languages=none",
            "-opkgCacheFile::Generate=false",
        ]
        run(["apt-get", *options, *IMPATIENT, "update", "--error-on=any"], log=log, timeout=PATIENCE_SECONDS)
        return {path.name: files.sha256(path) for path in sorted((home / "lists").glob("*Release"))}
    return {}


def offered(lab: Lab, suite: str) -> frozenset[str] | None:
    """Return the names that the packages of a suite of the lab's archive have and provide.

    None where apt may install one that nothing depends on, and for a damaged index.
    """
    with suppress(InfrastructureError):
        text = reader_of(lab).index(suite, f"main/binary-{architecture()}/Packages")
        if not UNASKED.search(text):
            return frozenset(name for each in NAMES.findall(text) for name in NAME.findall(each))
    return None
