"""The comparison of a deployment with its run: the component, version and commit given to the run.

A phase trusts the given values over this machine's disk: an archive or a deployment of another version is an error
of the lab, except for a newer one, which has its own run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from debian.debian_support import Version

from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.store.archive_place import is_apart
from lab.store.run_directory import WHOLE
from lab.store.step import StepContext, StepOutcome
from scripts.archives.package_source import PackageSource
from scripts.deployment import installation
from scripts.deployment.deployer import DeployResult
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Topology
from scripts.services.deployed_state import Deployed, Installed
from scripts.upstream import versions

FEW = 3


@dataclass(frozen=True)
class Wanted:
    """The wanted content of a deployment: a component, or all of a track (`WHOLE`), at a version, from an offer.

    The version is that of the source package; "" for a whole track, and for a component that the lab has never built.
    """

    component: str
    version: str
    offer: PackageSource

    @property
    def newer(self) -> str:
        """The newer version that the newest state has; "" for none."""
        found = self.offer.newest.get(self.component, "")
        return found if self.version and found and Version(found) > Version(self.version) else ""

    def check_offer(self) -> None:
        """Raise InfrastructureError where the lab's archive does not have it."""
        offer = self.offer
        apart = is_apart(offer.lab)
        here = f"{offer.place} at {offer.lab.archive.url}" if apart else f"{offer.place} on this machine"
        if not offer.is_archive:
            return
        if self.component == WHOLE:
            if not offer.sources.keys() & set(offer.lab.components_of(offer.track)):
                raise InfrastructureError(f"{here} has no package of the track {offer.track}")
        elif (found := offer.sources.get(self.component, "")) != self.version:
            has = f"has {self.component} {found}" if found else f"has no package of {self.component}"
            hint = (
                "has its build reached the archive?" if apart else "deploy where the archive is that the build went to"
            )
            raise InfrastructureError(f"{here} {has}: the run is about {self.version}", hint=hint)

    def check_installed(self, made: DeployResult, topology: Topology, nodes: Mapping[str, Node]) -> None:
        """Compare with what a deployer has installed.

        Raises ConfigurationError when none of its packages is installed, Failed or InfrastructureError for another
        version.
        """
        if self.offer.is_baseline:
            return
        if self.offer.is_archive and self.version:
            self._check_versions(made.packages, nodes)
        named = {self.component} if self.offer.is_archive and self.component != WHOLE else None
        if not [each for each in made.packages if each.ours and (named is None or each.source in named)]:
            what = self.offer.waiting or ("" if named is None else f"{self.component} {self.version}".strip())
            message = f"nothing of {what} from {self.offer.place}" if what else f"nothing from {self.offer.place}"
            hint = "name its packages in deployment.applications"
            raise ConfigurationError(f"{message} is installed; {_instead(topology, made, nodes)}", hint=hint)

    def _check_versions(self, packages: Sequence[Installed], nodes: Mapping[str, Node]) -> None:
        """Raise for the first package of the component's source that is of another version of it.

        The build is at fault where it does not have a package that others need and the distribution's old one has.
        """
        for each in packages:
            if each.source == self.component and each.source_version != self.version:
                place = installation.origin(nodes[each.node], each.name)
                what = f"{each.name} {each.version} is installed on {each.node}, from {place}"
                kind = InfrastructureError if each.name in self.offer.archive else Failed
                raise kind(f"{what}: it is not of {self.component} {self.version}, which the run is about")


def wanted(context: StepContext, offer: PackageSource) -> Wanted:
    """Return the wanted content of a run's deployment.

    The version is that of run.json, else that built from the commit, else that on offer.
    Raises ConfigurationError for a commit without a known version, and for a version of another commit.
    """
    info, offered = context.run.info, offer.sources.get(context.component_name, "")
    if info.component == WHOLE:
        if info.version and offer.is_archive:
            raise ConfigurationError(f"the version {info.version} is of no component", hint="name the component too")
        return Wanted(WHOLE, "", offer)
    version = info.version or (_version_built(context) if info.commit and offer.is_archive else "") or offered
    short = versions.commit_of(Version(version).upstream_version or "") if version else None
    if info.commit and short and not info.commit.startswith(short):
        raise ConfigurationError(f"{info.component} {version} is not of the commit {info.commit[:10]}")
    if info.commit and offered and not (info.version or short or _version_built(context) or not offer.is_archive):
        message = f"the version that {info.component} has at the commit {info.commit[:10]} is not known here"
        raise ConfigurationError(message, hint="name it (VERSION), or build the commit here")
    return Wanted(info.component, version, offer)


def _version_built(context: StepContext) -> str:
    """Return the version of the last build of a run's commit, of this machine or in the archive; "" for none."""
    info = context.run.info
    own = (run.version for run in reversed(context.builds(info.track)) if run.info.commit == info.commit)
    return next(filter(None, own), "") or context.history.version_of(info.track, info.commit)


def _instead(topology: Topology, made: DeployResult, nodes: Mapping[str, Node]) -> str:
    """Return the installed versions of a topology's packages and their origins, for a message."""
    found = {each.name: each for each in made.packages if each.name in topology.packages}
    some = [found[name] for name in sorted(found)[:FEW]]
    origins = [f"{each.name} {each.version} from {installation.origin(nodes[each.node], each.name)}" for each in some]
    more = f" and {len(found) - FEW} more" if len(found) > FEW else ""
    return f"instead: {', '.join(origins) or 'nothing that is named'}{more}"


def another(context: StepContext, deployed: Deployed) -> StepOutcome | None:
    """Return how a step ends whose run a newer deployment has superseded; None where the deployment is the run's own.

    Raises InfrastructureError for a deployment of another component, of another commit or state, or of an older version.
    """
    info = context.run.info
    if _is_of(deployed, info.component, info.version, info.commit):
        if info.archive and deployed.state and info.archive != deployed.state:
            hint = f"deploy it first, on this machine: the job {info.track}-deploy"
            message = f"the state {deployed.state} is deployed, and not {info.archive}, which the run is about"
            raise InfrastructureError(message, hint=hint)
        return None
    found = deployed.version if info.component == WHOLE else _version_of(deployed, info.component)
    same = deployed.component == info.component and found == info.version
    if info.version and found and not same and Version(found) >= Version(info.version):
        message = f"what is deployed is {deployed.component} {deployed.version}: its own run exercises it"
        return StepOutcome(message, version=info.version, verdict="skipped")
    there = f"{_named(deployed.component, deployed.version, deployed.commit)} is deployed"
    message = f"{there}, and not {_named(info.component, info.version, info.commit)}, which the run is about"
    raise InfrastructureError(message, hint=f"deploy it first, on this machine: the job {info.track}-deploy")


def _is_of(deployed: Deployed, component: str, version: str, commit: str) -> bool:
    """Return whether a deployment matches a component, and a version and a commit where these are given."""
    if WHOLE not in {component, deployed.component} and component != deployed.component:
        return False
    if version and version != deployed.version:
        return False
    return not commit or commit == deployed.commit or bool(version and not deployed.commit)


def _version_of(deployed: Deployed, component: str) -> str:
    found = [each.source_version for each in deployed.packages if each.ours and each.source == component]
    return max(found, key=Version, default="")


def _named(component: str, version: str, commit: str) -> str:
    of_commit = f"(commit {commit[:10]})" if commit else ""
    return " ".join(filter(None, ["the whole track" if component == WHOLE else component, version, of_commit]))
