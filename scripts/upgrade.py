"""upgrade: upgrade a deployment of the baseline to the candidate.

The applications of the track are deployed on containers with the packages of the baseline: those of the state of the
first label, or of the series until this label exists.  The exercises of the track run.  Then each node gets
``apt-get full-upgrade`` to the state: the packages of the state must get its versions, those of the component must keep
their conffiles, no other package may go, and all services must keep running for the settle time.  A service of an upgraded
package that still runs the old version is restarted, as the next boot does it.  Then the exercises run again.  A package may go if one that the upgrade installs replaces it by its own fields (Replaces, with Conflicts or
Breaks), if ``test.upgrade`` has a reason, or if an upgrade of the baseline removes it too; the message tells each.

A case that fails after the upgrade and did not fail before gives the verdict ``failed``.  The message names cases that
failed before too, and those that passed before and did not run after the upgrade.  A case without a result after it is an
``error``, whatever it was before; so is an exercise of which no case runs any more, and an upgrade without an older
package on any node.  The step is skipped where there is no older version, and where the
older version cannot be deployed: its packages or services fail twice, or it lacks a package that the state adds.

``results/native/upgrade.jsonl`` has a case for each part of the upgrade and each exercise after it; logs of all nodes
are in ``results/upgrade``.

Facts: ``state``, ``baseline``, ``from`` (the version of the component before the upgrade), ``nodes``, ``missing`` (the
cases that passed before the upgrade and did not run after it), ``removed`` (why each package that is gone may go),
``restarted`` (the services that no package has restarted).
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.base import environment
from lab.base.errors import Failed, InfrastructureError
from lab.base.text import first_of
from lab.results.cases import Case
from lab.store import step_command
from lab.store.records import rfc3339
from lab.store.step import StepContext, StepOutcome, architecture
from scripts import exercise
from scripts.archives.serving import served
from scripts.chroots.bootstrap import Repository
from scripts.deployment import environments, installation
from scripts.deployment.package_deployer import Packages
from scripts.deployment.planner import pristine, topology
from scripts.drivers.interfaces import Node
from scripts.drivers.nspawn.driver import NspawnTarget
from scripts.drivers.topology import Topology
from scripts.exercise import Exercising
from scripts.services.deployed_state import FILE, Deployed
from scripts.testing import exercises_compared, old_services, older_packages, upgraded_node
from scripts.testing.candidate import Candidate
from scripts.testing.conclusion import Findings, carry_out
from scripts.testing.upgraded_node import Removals

NAME = "upgrade"


@dataclass(frozen=True)
class OldVersion:
    """What an upgrade starts from: the version of the component, ``state`` ("": the series), the binaries by source."""

    version: str
    state: str
    place: str
    built: Mapping[str, Sequence[str]]


def old_version(context: StepContext, found: Candidate) -> OldVersion | None:
    """Return what users can upgrade from: the baseline's version if it is older, or that of the series."""
    name = context.component_name
    if found.baseline and (items := older_packages.of_baseline(found, name)):
        built = installation.built(installation.offered(found.reader, found.baseline.name))
        state, place, built = found.baseline.name, found.baseline_name, {name: [*items], **built}
    else:
        items = older_packages.of_series(context, found)
        state, place, built = "", found.series, {name: [*items]}
    versions = [str(item.source_version) for item in items.values()]
    return OldVersion(versions[0], state, place, built) if versions else None


@dataclass(frozen=True)
class UpgradeTest:
    """The deployment of an old version on containers of its own."""

    context: StepContext
    found: Candidate
    old: OldVersion
    where: Topology
    target: NspawnTarget
    removed: dict[str, str] = field(default_factory=dict)
    restarted: list[str] = field(default_factory=list)

    def deploy(self) -> Deployed:
        """Deploy the old version.  Raises any error of the deployment."""
        context, suite = self.context, self.old.state
        with served(context.lab, suite) if suite else _nothing() as repository:
            offered = installation.offered(self.found.reader, suite) if suite else {}
            with self.target.prepare(pristine(context.lab, context.track_name, self.where, repository)) as snapshot:
                nodes = self.target.create(snapshot, self.where.nodes)
            reached = self.target.reaching(nodes, repository)
            made = Packages(reached, self.target, repository, offered, context.say).deploy(self.where)
        deployed = Deployed(
            track=context.track_name,
            component=context.component_name,
            version=self.old.version,
            commit="",
            finished=rfc3339(environment.now()),
            nodes={node.name: node.address for node in nodes},
            services=made.services,
            packages=tuple(made.packages),
            baselines=made.baselines,
            state=suite,
        )
        deployed.write(self.target.home / FILE)
        return deployed

    def exercise(self, name: str) -> list[Case]:
        """Run the exercises of the track."""
        native = self.context.run.work / NAME / f"{name}.jsonl"
        native.parent.mkdir(parents=True, exist_ok=True)
        native.unlink(missing_ok=True)
        exercising = Exercising(self.context, self.target, "nspawn", self.target.home, native)
        chosen = exercise.chosen(self.context)
        return [case for each, own in chosen.items() for case in exercising.carry_out(each, own)]

    def upgrade(self, deployed: Deployed) -> Iterator[Case]:
        """Upgrade all nodes, and write the deployment as it is then; yield a case for each part.

        Raises InfrastructureError where no node had an older package: nothing was tested.
        """
        state = {each["Package"]: each for each in self.found.all_packages()}
        with served(self.context.lab, self.found.state.name) as repository:
            assert repository  # noqa: S101 - the state was just read
            offered = installation.offered(self.found.reader, self.found.state.name)
            nodes = self.target.reaching(self.target.nodes(), repository)
            done: set[str] = set()
            for node in nodes:
                began = old_services.started(node, deployed.services)
                newer = yield from self._upgrade_node(node, repository, state)
                restarted = old_services.restart(node, self.where, deployed.services, began, newer)
                self.restarted.extend(f"{unit} on {node.name}" for unit in restarted)
                done |= newer
            candidate = sorted(name for name, each in state.items() if each["Source"] == self.context.component_name)
            if done.isdisjoint(candidate):
                had = first_of(candidate) or "no package"
                raise InfrastructureError(f"the upgrade did not take place: no node had an older version of {had}")
            packages = [each for node in nodes for each in installation.installed(node, repository, offered)]
        version = self.found.version(self.context.component_name)
        now = deployed.model_copy(
            update={"version": version, "packages": tuple(packages), "state": self.found.state.name}
        )
        now.write(self.target.home / FILE)

    def _upgrade_node(
        self, node: Node, repository: Repository, state: Mapping[str, Mapping[str, str]]
    ) -> Generator[Case, None, set[str]]:
        """Upgrade a node, yield its cases, and return the names of the packages that it had an older version of."""
        before = upgraded_node.packages(node)
        own = [name for name, each in state.items() if each["Source"] == self.context.component_name]
        known = upgraded_node.existing(node, upgraded_node.conffiles(node, [name for name in own if name in before]))
        doomed = frozenset(installation.removed_by_upgrade(node))
        case = Case(suite=NAME, classname=node.name, name="packages are upgraded", outcome="passed")
        began = time.monotonic()
        installation.upgrade(node, (), repository, self.where.minutes, keeps_all=False)
        after = upgraded_node.packages(node)
        upgraded_node.check_versions(after, before, state)
        yield case.model_copy(update={"seconds": round(time.monotonic() - began, 2)})
        reasons = {each.removes: each.reason for each in self.context.component.test.upgrade}
        there = [each for name, each in state.items() if name in after]
        removals = Removals(there, reasons, doomed, self.old.place, architecture())
        self.removed.update(removals.explained(before, after, node.name))
        yield case.model_copy(update={"name": "packages are kept"})
        listed = upgraded_node.conffiles(node, [name for name in own if name in after])
        upgraded_node.check_conffiles(known, listed, upgraded_node.existing(node, listed))
        yield case.model_copy(update={"name": "conffiles are kept"})
        return {name for name in before.keys() & state.keys() if before[name].version != state[name]["Version"]}


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def tested_cases(upgrade: UpgradeTest, deployed: Deployed) -> tuple[list[Case], list[Case]]:
    """Exercise, upgrade, and exercise again; a failure of the upgrade itself is the last case.

    Return the cases, and those that passed before and did not run after the upgrade.
    """
    before = upgrade.exercise("before")
    cases: list[Case] = []
    try:
        for case in upgrade.upgrade(deployed):
            cases.append(case)  # noqa: PERF402 - those before a failure count
    except Failed as error:
        return [*cases, Case(suite=NAME, classname="nodes", name="upgrade", outcome="failed", message=str(error))], []
    time.sleep(upgrade.where.settle_seconds)
    after, place = upgrade.exercise("after"), upgrade.old.place
    missing, names = exercises_compared.not_run(after, before), exercise.chosen(upgrade.context)
    cases += exercises_compared.compared(after, before, place)
    return [*cases, *exercises_compared.ended_exercises(names, after, missing, place)], missing


def deployed_old(upgrade: UpgradeTest) -> Deployed | str:
    """Deploy the old version; return why it cannot be deployed where it is at fault.

    It fails twice: what was deployed when the baseline was made fails once where a machine is too busy.
    A package that the state alone has is none of its faults, and none of the lab's.
    """
    ours = {each["Package"] for each in upgrade.found.all_packages()}
    try:
        try:
            return upgrade.deploy()
        except Failed as error:
            upgrade.context.say(f"deploying {upgrade.old.version} again: {error}")
            return upgrade.deploy()
    except Failed as error:
        return str(error)
    except installation.NoSuchPackage as error:
        if error.name not in ours:
            raise
        return f"{upgrade.old.place} has no package {error.name}"


def test(context: StepContext, found: Candidate) -> Findings:
    """Test the upgrade of the component from what users have."""
    old = old_version(context, found)
    if old is None:
        return Findings([], older_packages.none_older(context, found))
    where = topology(context.lab, context.track_name, context.component_name, old.built)
    name = f"{context.track_name}-upgrade-{context.component_name}"
    target = NspawnTarget(context.store.environments / name, context.log, context.lab.deployment)
    facts = {"from": old.version, "nodes": list(where.nodes)}
    with environments.exclusive_turn(context.lab, name):
        upgrade = UpgradeTest(context, found, old, where, target)
        try:
            deployed = deployed_old(upgrade)
            if isinstance(deployed, str):
                why = f"{old.version} of {old.place} cannot be deployed: {deployed}"
                return Findings([], why, facts=facts)
            cases, missing = tested_cases(upgrade, deployed)
        finally:
            target.collect_logs(context.run.results / NAME)
            target.destroy()
    passed = sum(case.outcome == "passed" for case in cases)
    names = [f"{case.classname}: {case.name}" for case in missing]
    known = exercises_compared.failing_too(cases, old.place)
    gone = [f"{name} ({why})" for name, why in upgrade.removed.items()]
    return Findings(
        cases,
        f"{passed} of {len(cases)} passed after the upgrade from {old.version} of {old.place}",
        [
            *([f"passed in {old.place} and did not run after the upgrade: {first_of(names)}"] if names else []),
            *([f"{exercises_compared.FAILS_TOO.format(old.place)}: {first_of(known)}"] if known else []),
            *([f"removed: {first_of(gone, len(gone))}"] if gone else []),
            *(
                [f"restarted by no package, but for this test: {first_of(upgrade.restarted)}"]
                if upgrade.restarted
                else []
            ),
        ],
        facts=facts | {"missing": names, "removed": upgrade.removed, "restarted": upgrade.restarted},
    )


def action(context: StepContext) -> StepOutcome:
    return carry_out(context, NAME, test)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
