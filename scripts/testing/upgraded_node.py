"""An upgrade on a node: apt full-upgrade to the candidate, as users do it, and what is lost by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lab.base.errors import Failed, InfrastructureError
from scripts.chroots.bootstrap import Repository
from scripts.deployment.installation import failed, unmet, unprocessed
from scripts.drivers.interfaces import Node

# Maintainer scripts start and restart services here, and new conffiles of edited ones are not taken: as users have it.
APT: str = (
    "apt-get --quiet --yes --no-install-recommends --option APT::Keep-Downloaded-Packages=false"
    " --option Dpkg::Use-Pty=false --option Dpkg::Options::=--force-confold"
)
CONFFILES = "dpkg-query --show --showformat='${Conffiles}\\n'"
CONFFILE = re.compile(r"^ (?P<path>/\S.*?) (?:[0-9a-f]{32}|newconffile)(?P<obsolete> obsolete)?$", re.MULTILINE)
VERSIONS = "dpkg-query --show --showformat='${Package} ${Version} ${db:Status-Status}\\n'"


def upgrade(node: Node, repository: Repository) -> None:
    """Upgrade a node to a state.  Raises Failed for what the packages do, InfrastructureError for a mirror."""
    node.run(["sh", "-euc", f"rm -f /usr/sbin/policy-rc.d; {repository.setup}"])
    if lines := failed(node, "apt-get --quiet update", online=True):
        raise InfrastructureError(f"{node.name}: apt-get update: {lines[-1]}")
    simulated, lines = node.attempt(["sh", "-euc", f"{APT} --simulate full-upgrade"])
    if not simulated:
        raise unmet(lines)
    if lines := failed(node, f"{APT} --download-only full-upgrade", online=True):
        raise InfrastructureError(f"{node.name}: packages cannot be fetched: {lines[-1]}")
    if lines := failed(node, f"{APT} --no-download full-upgrade"):
        raise unprocessed(lines)


def versions(node: Node) -> dict[str, str]:
    """Return the versions of the installed packages."""
    rows = (line.split() for line in node.run(["sh", "-c", VERSIONS], capture=True).stdout.splitlines())
    return {row[0]: row[1] for row in rows if row[-1] == "installed"}


def conffiles(node: Node, packages: Iterable[str]) -> list[str]:
    """Return the conffiles of some packages that dpkg knows, without obsolete ones."""
    names = [name for name in packages if name in versions(node)]
    if not names:
        return []
    listed = node.run(["sh", "-c", f'{CONFFILES} "$@"', "sh", *names], capture=True).stdout
    return [found["path"] for found in CONFFILE.finditer(listed) if not found["obsolete"]]


def existing(node: Node, paths: Sequence[str]) -> set[str]:
    """Return those of some paths that exist."""
    script = 'for path; do [ ! -e "$path" ] || printf "%s\\\\n" "$path"; done'
    return set(node.run(["sh", "-c", script, "sh", *paths], capture=True).stdout.splitlines())


def check_versions(installed: Mapping[str, str], before: Mapping[str, str], candidate: Mapping[str, str]) -> None:
    """Raise Failed for a package that was installed and has not the version of the candidate now, or is gone."""
    for name, version in sorted(candidate.items()):
        if name in before and installed.get(name) != version:
            found = f"stays at {installed[name]}" if name in installed else "is removed"
            raise Failed(f"{name} {found}: full-upgrade does not install {version}")


def check_conffiles(before: set[str], listed: Sequence[str], after: set[str]) -> None:
    """Raise Failed for a conffile that existed, is still one of the package's, and is gone."""
    if lost := sorted(before & set(listed) - after):
        raise Failed(f"the conffile {lost[0]} is lost in the upgrade")
