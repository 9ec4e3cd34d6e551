"""The proof that the packages of a node are those of the lab's archive: apt takes packages of one version for the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lab.base.errors import InfrastructureError
from lab.base.text import first_of
from scripts.drivers.interfaces import Node
from scripts.services.deployed_state import Installed

# $@: packages, each NAME=VERSION.  Print the names of those whose list of files is that of the archive's package, or that
# have none in the archive.
COMPARE: Final = """\
set -eu
into=$(mktemp --directory)
trap 'rm -rf "$into"' EXIT
cd "$into"
apt-get --quiet --quiet --option APT::Sandbox::User=root download "$@" > /dev/null
for deb in *.deb; do
    name=$(dpkg-deb --field "$deb" Package)
    rm -rf control found
    dpkg-deb --control "$deb" control
    [ ! -e control/md5sums ] || dpkg-query --control-show "$name:$(dpkg-deb --field "$deb" Architecture)" md5sums > found || true
    [ ! -e control/md5sums ] || cmp --silent control/md5sums found || continue
    echo "$name"
done
"""


def check(node: Node, packages: Iterable[Installed]) -> None:
    """Compare a node's packages of the lab with those in the archive, by the digests of their files (deb-md5sums(5)).

    Raises InfrastructureError for a package that was made otherwise.
    """
    versions = {each.name: each.version for each in packages if each.ours and each.node == node.name}
    if not versions:
        return
    named = [f"{name}={version}" for name, version in versions.items()]
    same = node.run(["sh", "-c", COMPARE, "sh", *named], online=True, capture=True).stdout.split()
    if other := sorted(versions.keys() - {*same}):
        found = first_of([f"{name} {versions[name]}" for name in other])
        raise InfrastructureError(
            f"{node.name}: not the package of the lab's archive, but another of its version: {found}"
        )
