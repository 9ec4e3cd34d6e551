"""deploy: deploy the packages of the track on a pristine target.

The environment is named after the track; the step destroys the previous deployment in it.  The packages are those of
one state of the archive: the one that run.json names, by default the newest, which run.json then names.  The lab's
archive is pinned above all others.  The step records the installed versions, and proves that the packages of the lab's archive
come from there.  It compares them with the run's component, version and commit (see
`scripts.deployment.expectation`): a deployment of another version, or without any package of the lab, does not pass.
A track of proposed packages installs the packages that wait in the pocket instead, first on pristine nodes, then as an
upgrade of the released deployment, which stays for the exercises.  It is ``skipped`` when none wait, or when Jenkins
asks for a set that was already tested.  A run of the state ``released`` deploys the track's baseline: the release without
the pocket (see `scripts.pockets.baseline`).  It is ``skipped`` as well when
something needs a machine (``needs isolation-machine``) and the target has containers.

``results/parameters.properties`` passes COMPONENT, COMMIT, VERSION and ARCHIVE to the next job; the file is missing
when nothing can be exercised.  Logs of all nodes are in ``results/nodes``, whatever the verdict.

Facts: ``environment``, ``state`` (of the archive), ``snapshot`` (the origin of the nodes), ``seconds`` (by part), ``packages`` (NAME=VERSION of
the packages from the lab's archive, or the pocket), ``services``, ``errors`` (the first that each service logged); for a pocket ``pocket``, its ``pocket date``, ``baseline``,
the ``versions`` of the updates by source, all sources ``taken``, the released versions that the updates ``replaces``,
``companions`` and ``not ready`` (reasons by source), ``left out`` (reasons by package), ``upgrade`` (why there was none,
"" for one), ``retried`` (failures of hooks that passed when Juju ran them again), ``bugs`` (closed by each source), ``policy`` (the output of apt-cache by source) and the packages ``not installed``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.base import environment
from lab.base.errors import Failed, InfrastructureError, LabError, Verdict
from lab.base.text import plural
from lab.store import step_command
from lab.store.records import rfc3339
from lab.store.step import StepContext, StepOutcome
from scripts.archives import package_source
from scripts.archives.package_source import PackageSource
from scripts.deployment import deployer_choice, environments, expectation, isolation, pocket_deployment
from scripts.deployment.deployer import DeployResult
from scripts.deployment.expectation import Wanted
from scripts.deployment.planner import pristine, topology
from scripts.drivers.interfaces import Provisioner
from scripts.drivers.topology import Topology
from scripts.services.deployed_state import FILE, Deployed, Service

NAME = "deploy"


def action(context: StepContext) -> StepOutcome:
    info = context.run.info
    offer = package_source.for_track(context.lab, context.track_name, info.component, context.log, info.archive)
    if why := pocket_deployment.skip_reason(context, offer) or pocket_deployment.check_installability(offer):
        return StepOutcome(why, verdict="skipped")
    wanted = expectation.wanted(context, offer)
    if wanted.newer and (info.version or not info.archive):  # a state that somebody has asked for is deployed
        message = f"the archive has {wanted.component} {wanted.newer} by now: the run that built it deploys it"
        context.run.hand_over(wanted.version, offer.state)
        return StepOutcome(message, version=wanted.version, verdict="skipped")
    wanted.check_offer()
    where = topology(context.lab, context.track_name, context.component_name, offer.built)
    driver = environments.driver_of(context.lab, context.track_name).NAME
    if why := isolation.missing_for(driver, where):
        return StepOutcome(why, verdict="skipped")
    target = environments.target(context.lab, context.track_name, context.log)
    with environments.exclusive_turn(context.lab, context.track_name), offer.kept():
        version = info.version or (offer.sources.get(info.component, "") if offer.waiting else "")
        if offer.state:
            context.run.write_info(info.model_copy(update={"archive": offer.state, "version": version}))
        try:
            installation = install(context, wanted, where, target)
        except LabError as error:
            if why := isolation.missing_after(driver, error):
                return StepOutcome(why, verdict="skipped")
            if offer.waiting is None or not isinstance(error, Failed):
                raise
            return StepOutcome(str(error), version=version, verdict="failed", facts=pocket_deployment.facts(offer))
        made = installation.made
        deployed = record(context, offer, made, {node.name: node.address for node in target.nodes()})
    if context.track.phases[-1] == "deploy":
        offer.remember()
    context.run.hand_over(deployed.version, offer.state)
    facts = {
        "environment": context.track_name,
        "state": deployed.state,
        "seconds": dict(installation.took),
        "packages": sorted({f"{each.name}={each.version}" for each in made.packages if each.ours}),
        "services": {name: list(service.units) for name, service in made.services.items()},
        "errors": list(made.errors),
        **pocket_deployment.facts(offer),
        **installation.facts,
    }
    if made.retried:
        facts["retried"] = [str(error) for error in made.retried]
    # A retry gives a label, not a pass, where what is tested has failed.
    verdict: Verdict = "unstable" if any(isinstance(error, Failed) for error in made.retried) else "passed"
    message = describe(offer, deployed, installation.took) + retried(made.retried) + logged(made.errors)
    return StepOutcome(message, version=deployed.version, verdict=verdict, facts=facts)


@dataclass(frozen=True)
class Installation:
    """What a deployment came to: its result, the seconds by part, and facts."""

    made: DeployResult
    took: Mapping[str, float]
    facts: Mapping[str, Any]


def install(context: StepContext, wanted: Wanted, where: Topology, target: Provisioner) -> Installation:
    """Deploy what is wanted: updates of a pocket afresh, and then as an upgrade, which stays.

    Raises any error of the deployment, also when the installed packages differ from the wanted ones.  What fails in the
    release too is an InfrastructureError.
    """
    offer = wanted.offer
    try:
        fresh = create(context, wanted, where, target)
    except Failed as error:
        if offer.is_baseline:
            raise InfrastructureError(f"the release itself cannot be deployed: {error}") from None
        why = pocket_deployment.release_fault(context, wanted, target)
        if why:
            raise InfrastructureError(f"{error}; the release fails too: {why}") from None
        offer.remember()
        raise Failed(f"{error}{'; the release can be deployed' * (why is not None)}") from None
    if offer.waiting is None:
        return fresh
    upgraded = pocket_deployment.upgrade(context, wanted, target)
    if upgraded.made:
        facts = {**fresh.facts, "upgrade": "", **pocket_deployment.changes(offer, target.nodes(), upgraded.made)}
        return Installation(upgraded.made, {**fresh.took, **upgraded.took}, facts)
    if upgraded.is_other:
        fresh = create(context, wanted, where, target)
    facts = {**fresh.facts, "upgrade": upgraded.none, **pocket_deployment.changes(offer, target.nodes(), fresh.made)}
    return Installation(fresh.made, fresh.took, facts)


def create(context: StepContext, wanted: Wanted, where: Topology, target: Provisioner) -> Installation:
    """Create the nodes and deploy on them.  Raises any error of the deployment."""
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
            # Those of a bundle file are made by the deployment.
            wanted.check_installed(made, where, {node.name: node for node in target.nodes()})
        finally:
            target.collect_logs(context.run.results / "nodes")
    return Installation(made, took | dict(made.seconds), {"snapshot": dict(snapshot.facts)})


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
        baseline=offer.baseline,
    )
    deployed.write(context.store.environments / context.track_name / FILE)
    return deployed


def describe(offer: PackageSource, deployed: Deployed, seconds: Mapping[str, float]) -> str:
    ours = [each for each in deployed.packages if each.ours]
    what = f"{deployed.component} {deployed.version}".rstrip()
    if not offer.is_archive:
        what = str(offer.waiting or offer.place)
    nodes = plural(len(deployed.nodes), "node")
    missing = ", ".join(sorted(deployed.waiting.keys() - {each.source for each in ours}))
    upgraded = f", upgraded in {seconds['upgrade']:.1f} s" if "upgrade" in seconds else ""
    return (
        f"{what} on {nodes}, {plural(len(ours), 'package')} from {offer.place};"
        f" booted in {seconds['boot']:.1f} s, installed in {seconds['install']:.1f} s{upgraded}"
        + (f"; nothing is deployed of {missing}" if missing else "")
        + "".join(f"; nothing runs of {name}: {why}" for name, why in idle(deployed.services).items())
    )


def retried(errors: Sequence[LabError]) -> str:
    """Return the hooks that passed when retried, with the first failure; "" for none."""
    return f"; {plural(len(errors), 'hook')} failed, and passed when retried: {errors[0]}" if errors else ""


def logged(errors: Sequence[str]) -> str:
    """Return how many services logged errors, with the first error; "" for none."""
    return f"; {plural(len(errors), 'service')} logged errors: {errors[0]}" if errors else ""


def idle(services: Mapping[str, Service]) -> dict[str, str]:
    """Return why the first service failed, by application, for applications without any running service."""
    return {
        name: ": ".join(next(iter(service.idle.items())))
        for name, service in services.items()
        if service.idle and not service.units
    }


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
