"""deploy: deploy the packages of the track on a pristine target.

The environment is named after the track; the step destroys the previous deployment in it.  The packages are those of
one state of the archive: the one that run.json names, by default the newest, which run.json then names.  The lab's
archive is pinned above all others.  The step records the installed versions, and proves that the packages of the lab's archive
come from there.  It compares them with the run's component, version and commit (see
`scripts.deployment.expectation`): a deployment of another version, or without any package of the lab, does not pass.
A track of proposed packages installs the packages that wait in the pocket instead.  It is ``skipped`` when none
wait, or when Jenkins asks for a set that was already tested.  It is ``skipped`` as well when something needs a machine
(``needs isolation-machine``) and the target has containers.

``results/parameters.properties`` passes COMPONENT, COMMIT, VERSION and ARCHIVE to the next job; the file is missing
when nothing can be exercised.  Logs of all nodes are in ``results/nodes``, whatever the verdict.

Facts: ``environment``, ``state`` (of the archive), ``snapshot`` (the origin of the nodes), ``seconds`` (by part), ``packages`` (NAME=VERSION of
the packages from the lab's archive, or the pocket), ``services``; for a pocket ``pocket``, all sources ``taken`` from it,
the released versions by source that the updates ``replaces``, ``companions`` and ``not ready`` (reasons by source).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from lab.base import environment
from lab.base.errors import Failed, InfrastructureError, LabError
from lab.store import step_command
from lab.store.records import rfc3339
from lab.store.run_directory import WHOLE
from lab.store.step import StepContext, StepOutcome
from scripts.archives import package_source
from scripts.archives.package_source import PackageSource
from scripts.deployment import deployer_choice, environments, expectation, installation, isolation
from scripts.deployment.deployer import DeployResult
from scripts.deployment.expectation import Wanted
from scripts.deployment.planner import pristine, topology
from scripts.drivers.interfaces import Provisioner
from scripts.drivers.topology import Topology
from scripts.pockets import proposed
from scripts.pockets.proposed import Waiting
from scripts.services.deployed_state import FILE, Deployed, Service

NAME = "deploy"


def skip_reason(context: StepContext, offer: PackageSource) -> str:
    """Return why a run of proposed packages has nothing to deploy; "" when it has, and for all other runs."""
    if offer.waiting is None:
        return ""
    name, wanted, versions = context.component_name, context.run.info.version, offer.waiting.versions
    if why := untestable(context, offer.waiting):
        return why
    if wanted and versions.get(name, wanted) != wanted:
        return f"{name} {wanted} does not wait in {offer.place}: {versions[name]} does"
    requested = wanted or context.run.info.origin == "local"  # started by a person, not by the timer
    if requested or proposed.is_new(context.lab, context.track_name, offer.waiting.content):
        return ""
    return f"{offer.waiting} of {offer.place} was tested already: name COMPONENT and VERSION to have it tested again"


def action(context: StepContext) -> StepOutcome:
    info = context.run.info
    offer = package_source.for_track(context.lab, context.track_name, info.component, context.log, info.archive)
    if why := skip_reason(context, offer):
        return StepOutcome(why, verdict="skipped")
    wanted = expectation.wanted(context, offer)
    if wanted.newer and (info.version or not info.archive):  # a state that somebody has asked for is deployed
        message = f"the archive has {wanted.component} {wanted.newer} by now: the run that built it deploys it"
        context.run.hand_over(wanted.version, offer.state)
        return StepOutcome(message, version=wanted.version, verdict="skipped")
    wanted.check_offer()
    check_dependents(offer)
    where = topology(context.lab, context.track_name, context.component_name, installation.built(offer.archive))
    driver = environments.driver_of(context.lab).NAME
    if why := isolation.missing_for(driver, where):
        return StepOutcome(why, verdict="skipped")
    target = environments.target(context.lab, context.track_name, context.log)
    with environments.exclusive_turn(context.lab, context.track_name), offer.kept():
        if offer.state and not offer.waiting:
            context.run.write_info(info.model_copy(update={"archive": offer.state}))
        try:
            made, took, origin = install(context, wanted, where, target)
        except LabError as error:
            if why := isolation.missing_after(driver, error):
                return StepOutcome(why, verdict="skipped")
            raise
        deployed = record(context, offer, made, {node.name: node.address for node in target.nodes()})
    if context.track.phases[-1] == "deploy":
        offer.remember()
    context.run.hand_over(deployed.version, offer.state)
    facts = {
        "environment": context.track_name,
        "state": deployed.state,
        "snapshot": dict(origin),
        "seconds": took,
        "packages": sorted({f"{each.name}={each.version}" for each in made.packages if each.ours}),
        "services": {name: list(service.units) for name, service in made.services.items()},
        **from_pocket(offer),
    }
    return StepOutcome(describe(offer, deployed, took), version=deployed.version, facts=facts)


def untestable(context: StepContext, waiting: Waiting) -> str:
    """Return why no package of a pocket can be tested now, "" when one can."""
    name, place = context.component_name, waiting.repository.codename
    if not waiting.updates:
        return f"nothing of {'the track' if name == WHOLE else name} waits in {place}"
    if not waiting.ready:
        early = waiting.updates[0]
        return f"{early.source} {early.version} of {place} cannot be tested yet: {early.impediment}"
    return isolation.missing_for_packages(environments.driver_of(context.lab).NAME, waiting.archive)


def check_dependents(offer: PackageSource) -> None:
    """Raise Failed for an update of a pocket that leaves a released package uninstallable."""
    for each in offer.waiting.ready if offer.waiting else ():
        if each.breakage:
            offer.remember()
            raise Failed(f"{each.source} {each.version} leaves released packages uninstallable: {each.breakage}")


def from_pocket(offer: PackageSource) -> dict[str, Any]:
    """Return the facts about what comes from a pocket."""
    if offer.waiting is None:
        return {}
    return {
        "pocket": offer.place,
        "taken": list(offer.waiting.repository.only),
        "replaces": {each.source: each.replaces for each in offer.waiting.ready},
        "companions": offer.waiting.companions,
        "not ready": {each.source: each.impediment for each in offer.waiting.updates if each.impediment},
    }


def install(
    context: StepContext, wanted: Wanted, where: Topology, target: Provisioner
) -> tuple[DeployResult, dict[str, float], Mapping[str, Any]]:
    """Create the nodes and deploy on them; return the result, the seconds by part, and the snapshot's facts.

    Raises any error of the deployment, also when the installed packages differ from the wanted ones.
    """
    offer = wanted.offer
    with offer.reached(target) as repository:
        began = time.monotonic()
        with target.prepare(pristine(context.lab, context.track_name, where, repository)) as snapshot:
            prepared = time.monotonic()
            try:
                nodes = target.create(snapshot, where.nodes)
            except InfrastructureError:
                target.collect_logs(context.run.results / "nodes")
                raise
        took = {"prepare": round(prepared - began, 2), "boot": round(time.monotonic() - prepared, 2)}
        try:
            made = deployer_choice.deployer(target, nodes, repository, offer.archive, context.say).deploy(where)
            wanted.check_installed(made, where, {node.name: node for node in nodes})
        except Failed:
            offer.remember()
            raise
        finally:
            target.collect_logs(context.run.results / "nodes")
    return made, took | dict(made.seconds), snapshot.facts


def record(context: StepContext, offer: PackageSource, made: DeployResult, nodes: Mapping[str, str]) -> Deployed:
    """Write the deployment to the environment's directory, for the steps that exercise it."""
    waiting = offer.waiting.versions if offer.waiting else {}
    source = next(iter(waiting)) if len(waiting) == 1 else context.component_name
    deployed = Deployed(
        track=context.track_name,
        component=context.component_name,
        version=offer.sources[source] if any(each.ours and each.source == source for each in made.packages) else "",
        commit=context.run.info.commit,
        finished=rfc3339(environment.now()),
        nodes=nodes,
        services=made.services,
        packages=tuple(made.packages),
        baselines=made.baselines,
        state=offer.state,
        waiting=waiting,
    )
    deployed.write(context.store.environments / context.track_name / FILE)
    return deployed


def describe(offer: PackageSource, deployed: Deployed, seconds: Mapping[str, float]) -> str:
    ours = [each for each in deployed.packages if each.ours]
    what = str(offer.waiting) if offer.waiting else f"{deployed.component} {deployed.version}".rstrip()
    nodes = f"{len(deployed.nodes)} node{'s' * (len(deployed.nodes) != 1)}"
    missing = ", ".join(sorted(deployed.waiting.keys() - {each.source for each in ours}))
    return (
        f"{what} on {nodes}, {len(ours)} package{'s' * (len(ours) != 1)} from {offer.place};"
        f" booted in {seconds['boot']:.1f} s, installed in {seconds['install']:.1f} s"
        + (f"; nothing is deployed of {missing}" if missing else "")
        + "".join(f"; nothing runs of {name}: {why}" for name, why in idle(deployed.services).items())
    )


def idle(services: Mapping[str, Service]) -> dict[str, str]:
    """Return why the first service failed, by application, for applications without any running service."""
    return {
        name: ": ".join(next(iter(service.idle.items())))
        for name, service in services.items()
        if service.idle and not service.units
    }


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
