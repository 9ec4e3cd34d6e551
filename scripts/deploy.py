"""deploy: what the track has built, on a pristine target, with all that it needs around it.

The environment is called after the track; what was deployed there before is destroyed.  The lab's archive is
pinned above all others; the versions are recorded, and those that the archive has are proven to come from it.

``results/parameters.properties`` hands COMPONENT, COMMIT, VERSION and ARCHIVE over to the next job.  Logs of all
nodes are in ``results/nodes``, however it went.

Facts: ``environment``, ``snapshot`` (what the nodes were made from), ``seconds`` (by part), ``packages``
(NAME=VERSION of those from the lab's archive), ``services``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from debian.debian_support import Version

from lab import environment, files, step
from lab.errors import ConfigurationError
from lab.records import rfc3339
from lab.step import Context, Outcome
from lab.store import WHOLE
from scripts import environments
from scripts.targets import installing
from scripts.targets.deployed import FILE, Deployed
from scripts.targets.planning import pristine, topology
from scripts.targets.seams import Made

NAME = "deploy"
Offered = Mapping[str, tuple[str, str]]


def superseded(context: Context, archive: Offered) -> str:
    """The newer version that the archive has in place of the one that this run is about; "" when it has that one.

    An index names one version of a package, and what is deployed is what the index names.
    """
    wanted = context.run.info.version
    newest = version_of(context.component_name, archive)
    return newest if wanted and newest and Version(newest) > Version(wanted) else ""


def version_of(source: str, archive: Offered) -> str:
    """The version of a source package that an archive has; "" when it has none."""
    return max((version for version, of in archive.values() if of == source), key=Version, default="")


def action(context: Context) -> Outcome:
    if context.track.trigger == "proposed":
        hint = "a track of another trigger deploys what the lab has built"
        raise ConfigurationError("packages of a -proposed pocket cannot be deployed yet", hint=hint)
    archive = installing.offered(context.store.archive, context.track_name)
    if newer := superseded(context, archive):
        message = f"the archive has {context.component_name} {newer} by now: the run that built it deploys it"
        hand_over(context, context.run.info.version)
        return Outcome(message, version=context.run.info.version, verdict="skipped")
    wanted = topology(context.lab, context.track_name, context.component_name, installing.built(archive))
    target = environments.target(context.lab, context.track_name, context.log)
    with (
        environments.turn(context.lab, context.track_name),
        target.archive(context.lab, context.track_name) as repository,
    ):
        began = time.monotonic()
        with target.prepare(pristine(context.lab, context.track_name, wanted, repository)) as snapshot:
            prepared = time.monotonic()
            nodes = target.create(snapshot, wanted.nodes)
        took = {"prepare": round(prepared - began, 2), "boot": round(time.monotonic() - prepared, 2)}
        try:
            made = target.deployer(nodes, repository, archive, context.say).deploy(wanted)
        finally:
            target.collect_logs(context.run.results / "nodes")
        deployed = record(context, made, {node.name: node.address for node in target.nodes()})
    hand_over(context, deployed.version)
    ours = [each for each in made.packages if each.ours]
    facts = {
        "environment": context.track_name,
        "snapshot": dict(snapshot.facts),
        "seconds": took | dict(made.seconds),
        "packages": sorted({f"{each.name}={each.version}" for each in ours}),
        "services": {name: list(service.units) for name, service in made.services.items()},
    }
    return Outcome(describe(deployed, took | dict(made.seconds)), version=deployed.version, facts=facts)


def record(context: Context, made: Made, nodes: Mapping[str, str]) -> Deployed:
    """Note in the environment what was deployed, for those who exercise it."""
    found = [each.version for each in made.packages if each.source == context.component_name]
    deployed = Deployed(
        track=context.track_name,
        component=context.component_name,
        version=max(found, key=Version, default=""),
        commit=context.run.info.commit,
        finished=rfc3339(environment.now()),
        nodes=nodes,
        services=made.services,
        packages=tuple(made.packages),
    )
    deployed.write(context.store.environments / context.track_name / FILE)
    return deployed


def describe(deployed: Deployed, seconds: Mapping[str, float]) -> str:
    ours = sum(each.ours for each in deployed.packages)
    what = f"{deployed.component} {deployed.version}".rstrip()
    nodes = f"{len(deployed.nodes)} node{'s' * (len(deployed.nodes) != 1)}"
    return (
        f"{what} on {nodes}, {ours} package{'s' * (ours != 1)} from the lab's archive;"
        f" booted in {seconds['boot']:.1f} s, installed in {seconds['install']:.1f} s"
    )


def hand_over(context: Context, version: str) -> None:
    """The parameters of the next job."""
    component = "" if context.component_name == WHOLE else context.component_name
    release = context.store.archive / "dists" / context.track_name / "InRelease"
    state = files.sha256(release) if release.exists() else ""
    values = {"COMPONENT": component, "COMMIT": context.run.info.commit, "VERSION": version, "ARCHIVE": state}
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    files.write_atomic(context.run.results / "parameters.properties", text)


def main(argv: Sequence[str] | None = None) -> int:
    return step.main(NAME, action, argv)
