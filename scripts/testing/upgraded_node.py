"""An upgrade on a node: apt full-upgrade to the candidate, as users do it, and what is lost by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.base.errors import Failed
from scripts.drivers.interfaces import Node
from scripts.migration.relations import Alternative, alternatives, clauses, provided, provision_satisfies, satisfies

CONFFILES = "dpkg-query --show --showformat='${Conffiles}\\n'"
CONFFILE = re.compile(r"^ (?P<path>/\S.*?) (?:[0-9a-f]{32}|newconffile)(?P<obsolete> obsolete)?$", re.MULTILINE)
PACKAGES = "${db:Status-Status}\t${Package}\t${Version}\t${Provides}\n"


@dataclass(frozen=True)
class NodePackage:
    """An installed package; ``provides``: its field Provides."""

    version: str
    provides: str = ""


def packages(node: Node) -> dict[str, NodePackage]:
    """Return the installed packages by name."""
    listed = node.run(["dpkg-query", "--show", f"--showformat={PACKAGES}"], capture=True).stdout.splitlines()
    rows = (line.split("\t") for line in listed)
    return {name: NodePackage(*of) for status, name, *of in rows if status == "installed"}


def conffiles(node: Node, names: Sequence[str]) -> list[str]:
    """Return the conffiles of some installed packages that dpkg knows, without obsolete ones."""
    if not names:
        return []
    listed = node.run(["sh", "-c", f'{CONFFILES} "$@"', "sh", *names], capture=True).stdout
    return [found["path"] for found in CONFFILE.finditer(listed) if not found["obsolete"]]


def existing(node: Node, paths: Sequence[str]) -> set[str]:
    """Return those of some paths that exist."""
    script = 'for path; do [ ! -e "$path" ] || printf "%s\\\\n" "$path"; done'
    return set(node.run(["sh", "-c", script, "sh", *paths], capture=True).stdout.splitlines())


def check_versions(
    installed: Mapping[str, NodePackage], before: Mapping[str, NodePackage], state: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise Failed for a package that was installed and has not the version of the state now.

    ``state``: the paragraphs of the state's packages, by name.
    """
    for name in sorted(before.keys() & installed.keys() & state.keys()):
        version = state[name]["Version"]
        if installed[name].version != version:
            raise Failed(f"{name} stays at {installed[name].version}: full-upgrade does not install {version}")


@dataclass(frozen=True)
class Removals:
    """What explains that an upgrade removes a package.

    ``state``: the paragraphs of the packages of the state that are installed after it; ``reasons``: those of lab.yaml,
    by package; ``doomed``: the packages that an upgrade of the baseline removes too.
    """

    state: Sequence[Mapping[str, str]]
    reasons: Mapping[str, str]
    doomed: frozenset[str]
    place: str
    architecture: str

    def explained(
        self, before: Mapping[str, NodePackage], after: Mapping[str, NodePackage], node: str
    ) -> dict[str, str]:
        """Return why each package that is gone may be gone.

        Raises Failed for one without a reason, also for a package of the state itself: a dependency of the state's
        packages, or a conflict, has removed it.
        """
        why = {name: self._reason(name, before[name]) for name in sorted(before.keys() - after.keys())}
        if lost := [f"{name} {before[name].version}" for name, reason in why.items() if not reason]:
            raise Failed(
                f"the upgrade removes {', '.join(lost)} from {node}, and no package that it installs replaces it",
                hint="test.upgrade can give the reason",
            )
        return why

    def _reason(self, name: str, package: NodePackage) -> str:
        if name in self.reasons:
            return self.reasons[name]
        if by := next((each["Package"] for each in self.state if self._replaces(each, name, package)), ""):
            return f"{by} replaces it"
        return f"an upgrade of {self.place} removes it too" if name in self.doomed else ""

    def _replaces(self, by: Mapping[str, str], name: str, package: NodePackage) -> bool:
        """Return whether a package replaces another: Debian policy 7.6."""
        names = {name: package.version} | dict(provided(package.provides, self.architecture))

        def meant(relation: Alternative) -> bool:
            if relation.name == name:
                return satisfies(package.version, relation)
            return relation.name in names and provision_satisfies(names[relation.name], relation)

        def has(*fields: str) -> bool:
            return any(meant(each) for field in fields for each in self._relations(by.get(field, "")))

        return has("Replaces") and has("Breaks", "Conflicts")

    def _relations(self, field: str) -> Iterator[Alternative]:
        for clause in clauses(field):
            yield from alternatives(clause, self.architecture)


def check_conffiles(before: set[str], listed: Iterable[str], after: set[str]) -> None:
    """Raise Failed for a conffile that existed, is still one of the package's, and is gone."""
    if lost := sorted(before & set(listed) - after):
        raise Failed(f"the conffile {lost[0]} is lost in the upgrade")
