"""deploy: deploy what the track has built on a pristine target.

The environment is called after the track; what was deployed there before is destroyed.  The lab's archive is
pinned above all others; the versions are recorded, and those that the archive has are proven to come from it.
A track of proposed packages takes what waits in the pocket instead, and is ``skipped`` where nothing does, or where
Jenkins asks for what was tested already.

``results/parameters.properties`` hands COMPONENT, COMMIT, VERSION and ARCHIVE over to the next job; where there is
nothing to be exercised, it is missing.  Logs of all nodes are in ``results/nodes``, however it went.

Facts: ``environment``, ``snapshot`` (what the nodes were made from), ``seconds`` (by part), ``packages``
(NAME=VERSION of those from the lab's archive, or the pocket), ``services``; ``pocket``, and all sources that are
``taken`` from it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from debian.debian_support import Version

from lab import environment, files, step
from lab.errors import ConfigurationError, Failed
from lab.records import rfc3339
from lab.step import Context, Outcome
from lab.store import HANDED_OVER, WHOLE
from scripts import environments, offers, proposed
from scripts.offers import Offer
from scripts.targets import deployers, installing
from scripts.targets.deployed import FILE, Deployed
from scripts.targets.deployer import DeployResult
from scripts.targets.planning import pristine, topology

NAME = "deploy"
Archive = Mapping[str, tuple[str, str]]


def needless(context: Context, offer: Offer) -> str:
    """Why a run of proposed packages has nothing to deploy; "" when it has, and for all other runs."""
    if offer.waiting is None:
        return ""
    name, wanted, versions = context.component_name, context.run.info.version, offer.waiting.versions
    if not versions:
        return f"nothing of {'the track' if name == WHOLE else name} waits in {offer.place}"
    if wanted and versions.get(name, wanted) != wanted:
        return f"{name} {wanted} does not wait in {offer.place}: {versions[name]} does"
    asked = wanted or context.run.info.origin == "local"  # by somebody, and not by the clock
    if asked or proposed.is_new(context.lab, context.track_name, versions):
        return ""
    return f"{offer.waiting} of {offer.place} was tested already: name COMPONENT and VERSION to have it tested again"


def superseded(context: Context, archive: Archive) -> str:
    """The newer version that the archive has in place of the one that this run is about; "" when it has that one.

    An index names one version of a package, and what is deployed is what the index names.
    """
    wanted = context.run.info.version
    newest = version_of(context.component_name, archive)
    return newest if wanted and newest and Version(newest) > Version(wanted) else ""


def version_of(source: str, archive: Archive) -> str:
    """The version of a source package that an archive has; "" when it has none."""
    return max((version for version, of in archive.values() if of == source), key=Version, default="")


def action(context: Context) -> Outcome:
    offer = offers.of(context.lab, context.track_name, context.component_name, context.log)
    if why := needless(context, offer):
        return Outcome(why, verdict="skipped")
    if newer := superseded(context, offer.archive):
        message = f"the archive has {context.component_name} {newer} by now: the run that built it deploys it"
        hand_over(context, offer, context.run.info.version)
        return Outcome(message, version=context.run.info.version, verdict="skipped")
    wanted = topology(context.lab, context.track_name, context.component_name, installing.built(offer.archive))
    target = environments.target(context.lab, context.track_name, context.log)
    with environments.turn(context.lab, context.track_name), offer.reached(target) as repository:
        began = time.monotonic()
        with target.prepare(pristine(context.lab, context.track_name, wanted, repository)) as snapshot:
            prepared = time.monotonic()
            nodes = target.create(snapshot, wanted.nodes)
        took = {"prepare": round(prepared - began, 2), "boot": round(time.monotonic() - prepared, 2)}
        try:
            made = deployers.deployer(target, nodes, repository, offer.archive, context.say).deploy(wanted)
        except Failed:
            offer.remember()
            raise
        finally:
            target.collect_logs(context.run.results / "nodes")
        deployed = record(context, offer, made, {node.name: node.address for node in target.nodes()})
    if context.track.phases[-1] == "deploy":
        offer.remember()
    hand_over(context, offer, deployed.version)
    taken = {"pocket": offer.place, "taken": list(offer.waiting.repository.only)} if offer.waiting else {}
    facts = {
        "environment": context.track_name,
        "snapshot": dict(snapshot.facts),
        "seconds": took | dict(made.seconds),
        "packages": sorted({f"{each.name}={each.version}" for each in made.packages if each.ours}),
        "services": {name: list(service.units) for name, service in made.services.items()},
        **taken,
    }
    return Outcome(describe(offer, deployed, took | dict(made.seconds)), version=deployed.version, facts=facts)


def record(context: Context, offer: Offer, made: DeployResult, nodes: Mapping[str, str]) -> Deployed:
    """Note in the environment what was deployed, for those who exercise it.

    Raises ConfigurationError where packages wait and none of them is among it.
    """
    waiting = offer.waiting.versions if offer.waiting else {}
    if waiting and not any(each.ours for each in made.packages):
        hint = "name its packages in deployment.applications"
        raise ConfigurationError(f"{offer.waiting} waits in {offer.place}, and nothing of it is deployed", hint=hint)
    source = next(iter(waiting)) if len(waiting) == 1 else context.component_name
    deployed = Deployed(
        track=context.track_name,
        component=context.component_name,
        version=max((each.version for each in made.packages if each.source == source), key=Version, default=""),
        commit=context.run.info.commit,
        finished=rfc3339(environment.now()),
        nodes=nodes,
        services=made.services,
        packages=tuple(made.packages),
        waiting=waiting,
    )
    deployed.write(context.store.environments / context.track_name / FILE)
    return deployed


def describe(offer: Offer, deployed: Deployed, seconds: Mapping[str, float]) -> str:
    ours = [each for each in deployed.packages if each.ours]
    what = str(offer.waiting) if offer.waiting else f"{deployed.component} {deployed.version}".rstrip()
    nodes = f"{len(deployed.nodes)} node{'s' * (len(deployed.nodes) != 1)}"
    missing = ", ".join(sorted(deployed.waiting.keys() - {each.source for each in ours}))
    return (
        f"{what} on {nodes}, {len(ours)} package{'s' * (len(ours) != 1)} from {offer.place};"
        f" booted in {seconds['boot']:.1f} s, installed in {seconds['install']:.1f} s"
        + (f"; nothing is deployed of {missing}" if missing else "")
    )


def hand_over(context: Context, offer: Offer, version: str) -> None:
    """The parameters of the next job."""
    component = "" if context.component_name == WHOLE else context.component_name
    values = {"COMPONENT": component, "COMMIT": context.run.info.commit, "VERSION": version, "ARCHIVE": offer.state}
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    files.write_atomic(context.run.results / HANDED_OVER, text)


def main(argv: Sequence[str] | None = None) -> int:
    return step.main(NAME, action, argv)
