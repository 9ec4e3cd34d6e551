"""The releases of OpenStack by code name, and which one a series has."""

from __future__ import annotations

from typing import Final

from lab.config.description import Series

# The oldest first.
RELEASES: Final = (
    "diablo", "essex", "folsom", "grizzly", "havana", "icehouse", "juno", "kilo", "liberty", "mitaka", "newton", "ocata",
    "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby", "xena", "yoga", "zed", "antelope",
    "bobcat", "caracal", "dalmatian", "epoxy", "flamingo", "gazpacho",
)  # fmt: skip
# What releases of Debian and Ubuntu have in their own archives.
OWN: Final = {"bookworm": "zed", "trixie": "epoxy", "jammy": "yoga", "noble": "caracal", "resolute": "gazpacho"}


def release_of(name: str, series: Series) -> str:
    """Return the release of OpenStack that a series has; the newest one for a series that is not known.

    That of the cloud archive, whose suites end in a code name (``noble-updates/epoxy``), replaces the series' own.
    """
    suites = (archive.suite.rpartition("/")[2] for archive in series.archives)
    of_archives = [suite for suite in suites if suite in RELEASES]
    return max([OWN.get(series.codename or name, RELEASES[-1]), *of_archives], key=RELEASES.index)


def has_reached(release: str, name: str) -> bool:
    """Return whether a release is another one, or a newer one."""
    return RELEASES.index(release) >= RELEASES.index(name)
