"""The deployment of the updates of a pocket: afresh, and as an upgrade of the released deployment.

Everybody gets a stable update as an upgrade.  The released deployment also tells whose fault it is that an update cannot
be deployed: what fails in the release too is none of the update.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from debian.changelog import Changelog, ChangelogParseError

from lab.base.errors import Failed
from lab.base.text import first_of
from lab.store.run_directory import WHOLE
from lab.store.step import StepContext
from scripts.archives.package_source import PackageSource
from scripts.deployment import environments, isolation
from scripts.deployment.deployer import DeployResult
from scripts.deployment.expectation import Wanted
from scripts.deployment.package_deployer import Packages
from scripts.deployment.planner import pristine, topology
from scripts.drivers.interfaces import Node, Provisioner
from scripts.drivers.topology import Topology
from scripts.pockets import bugs, proposed
from scripts.pockets.dependents import consequences
from scripts.pockets.proposed import Waiting


@dataclass(frozen=True)
class Upgraded:
    """An upgrade of the released deployment: its result and the seconds by part; or why there was none.

    ``is_other``: without an upgrade, whether the nodes have another deployment by now.
    """

    made: DeployResult | None = None
    took: Mapping[str, float] = field(default_factory=dict)
    none: str = ""
    is_other: bool = False


def skip_reason(context: StepContext, offer: PackageSource) -> str:
    """Return why a run of proposed packages has nothing to deploy; "" when it has, and for all other runs."""
    if offer.waiting is None:
        return ""
    name, wanted, versions = context.component_name, context.run.info.version, offer.waiting.versions
    if why := untestable(context, offer.waiting):
        return why
    if wanted and versions.get(name, wanted) != wanted:
        return f"{name} {wanted} does not wait in {offer.place}: {versions[name]} does"
    # By a person or a watch, and not by Jenkins for all that waits.
    requested = wanted or context.run.info.origin == "local" or context.run.info.archive == offer.waiting.content
    if requested or proposed.is_new(context.lab, context.track_name, offer.waiting.content):
        return ""
    return f"{offer.waiting} of {offer.place} was tested already: name COMPONENT and VERSION to have it tested again"


def untestable(context: StepContext, waiting: Waiting) -> str:
    """Return why no package of a pocket can be tested now, "" when one can."""
    name, place = context.component_name, waiting.repository.codename
    if not waiting.updates:
        return f"nothing of {'the track' if name == WHOLE else name} waits in {place}"
    if not waiting.ready:
        early = waiting.updates[0]
        return f"{early.source} {early.version} of {place} cannot be tested yet: {early.impediment}"
    return isolation.missing_for_packages(environments.driver_of(context.lab, context.track_name).NAME, waiting.archive)


def check_installability(offer: PackageSource) -> str:
    """Return why what is taken cannot be installed yet, "" when it can.

    Raises Failed for an update that leaves a released package uninstallable.
    """
    if offer.waiting is None:
        return ""
    found = consequences(offer.waiting.pocket, offer.waiting.repository.only)
    if found.own:
        return f"{offer.waiting} of {offer.place} cannot be tested yet: {found.own[0]}"
    broken = [each.breakage for each in offer.waiting.ready if each.breakage] or [
        str(each) for each in found.dependents
    ]
    if broken:
        offer.remember()
        raise Failed(f"{offer.waiting} leaves released packages uninstallable: {first_of(broken)}")
    return ""


def facts(offer: PackageSource) -> dict[str, Any]:
    """Return the facts about what comes from a pocket."""
    if offer.waiting is None:
        return {"baseline": offer.baseline} if offer.baseline else {}
    waiting = offer.waiting
    return {
        "pocket": offer.place,
        "pocket date": waiting.pocket.date,
        "baseline": offer.baseline,
        "versions": waiting.versions,
        "taken": list(waiting.repository.only),
        "replaces": {each.source: each.replaces for each in waiting.ready},
        "companions": waiting.companions,
        "not ready": {each.source: each.impediment for each in waiting.updates if each.impediment},
        "left out": waiting.left_out,
    }


def upgrade(context: StepContext, wanted: Wanted, target: Provisioner) -> Upgraded:
    """Deploy the release, and upgrade it to what is taken from the pocket.

    Raises Failed for an upgrade that does not go well.
    """
    offer, where = wanted.offer, released_topology(context, wanted.offer)
    assert offer.waiting  # noqa: S101 - the caller has asked
    repository = offer.waiting.repository
    if where is None:
        return Upgraded(none="nothing of it is released")
    began = time.monotonic()
    try:
        released = _deploy_release(context, offer, where, target)
    except Failed as error:
        return Upgraded(none=f"the release itself cannot be deployed: {error}", is_other=True)
    if not {each.source for each in released.packages} & set(repository.only):
        return Upgraded(none="nothing of it is in the released deployment", is_other=True)
    took = {"released": round(time.monotonic() - began, 2)}
    nodes = target.nodes()
    deployer = Packages(target.reaching(nodes, repository), target, repository, offer.archive, context.say)
    try:
        made = deployer.upgrade(where, released, repository.only)
        wanted.check_installed(made, where, {node.name: node for node in nodes})
    except Failed as error:
        offer.remember()
        raise Failed(f"as an upgrade of the release: {error}") from None
    finally:
        target.collect_logs(context.run.results / "nodes")
    return Upgraded(made, took | dict(made.seconds))


def release_fault(context: StepContext, wanted: Wanted, target: Provisioner) -> str | None:
    """Return why the release cannot be deployed in place of a pocket's updates; "" when it can, None without any there."""
    where = released_topology(context, wanted.offer)
    if where is None:
        return None
    try:
        _deploy_release(context, wanted.offer, where, target)
    except Failed as error:
        return str(error)
    return ""


def released_topology(context: StepContext, offer: PackageSource) -> Topology | None:
    """Return what is deployed of the release in place of a pocket's updates; None where that has nothing of them."""
    if offer.waiting is None:
        return None
    built = offer.waiting.pocket.released_packages(offer.waiting.versions)
    where = topology(context.lab, context.track_name, context.component_name, built) if built else None
    return where if where and where.applications else None


def _deploy_release(context: StepContext, offer: PackageSource, where: Topology, target: Provisioner) -> DeployResult:
    """Deploy the release.  The pristine layer is that of the updates, where these need nothing else."""
    assert offer.waiting  # noqa: S101 - the caller has asked
    start = replace(pristine(context.lab, context.track_name, where, offer.waiting.repository), repository=None)
    with target.prepare(start) as snapshot:
        nodes = target.create(snapshot, where.nodes)
    return Packages(target.reaching(nodes, None), target, None, {}, context.say).deploy(where)


def changes(offer: PackageSource, nodes: Sequence[Node], made: DeployResult) -> dict[str, Any]:
    """Return the facts about the installed packages of a pocket.

    These are the bugs that each update closes, from a changelog, apt's policy for its packages, those not installed, and the
    running kernel.
    """
    closed: dict[str, list[str]] = {}
    policies: dict[str, str] = {}
    for update in offer.waiting.ready if offer.waiting else ():
        names: dict[str, list[str]] = {}
        for each in made.packages:
            if each.source == update.source and each.ours:
                names.setdefault(each.node, []).append(each.name)
        if found := next((node for node in nodes if node.name in names), None):
            policies[update.source] = found.run(["apt-cache", "policy", *names[found.name]], capture=True).stdout
            text = found.run(["sh", "-c", bugs.SHOW, "sh", *names[found.name]], capture=True, check=False).stdout
            with suppress(ChangelogParseError, ValueError):
                closed[update.source] = bugs.closed(Changelog(text, strict=False), update.replaces)
    installed = {each.name for each in made.packages}
    absent = sorted(offer.archive.keys() - installed)
    kernel = nodes[0].run(["uname", "-r"], capture=True).stdout.strip() if nodes else ""
    return {"bugs": closed, "policy": policies, "not installed": absent, "kernel": kernel}
