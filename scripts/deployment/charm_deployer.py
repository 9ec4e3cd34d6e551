"""The deployer of charms: a bundle onto machines that are there, watched until all units are well."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.run import LONGEST
from lab.base.text import plural, without_middle
from lab.config.juju import Juju
from scripts.chroots.bootstrap import PREFERENCES, Repository
from scripts.deployment import charmed_keystone, installation
from scripts.deployment.deployer import DeployResult
from scripts.drivers.interfaces import Node
from scripts.drivers.juju import bundle, hook_log, steps
from scripts.drivers.juju.client import AWAY, DEPLOY_SECONDS, JujuModel, JujuRefused, once
from scripts.drivers.juju.machine import node_name
from scripts.drivers.juju.snap_files import readable
from scripts.drivers.juju.status import MOST, Blame, MachineStatus, Status, application_of, related
from scripts.drivers.juju.watch import HookRetries, Watch
from scripts.drivers.topology import Application, Topology
from scripts.roles import keystone
from scripts.services.deployed_state import Installed, Service

LINES = 100
# Of a bundle, before anything of it is deployed.
FAULTY = re.compile(
    r"^(?:Bundle cannot be deployed without trusting|the provided bundle has|cannot (?:unmarshal|read) bundle|base bundle not valid"
    r"|selecting releases: |missing application-attribute)"
)
QUOTED = re.compile(r'"[^"]*"')  # such as the name of an option
ABOUT_RELATIONS = re.compile(r"\brelations?\b")


@dataclass(frozen=True)
class Charms:
    """Deploys a topology with Juju; ``machines``: their ids by node; ``home``: where the bundle is written.

    ``settings``: those of the driver.  ``adopt`` makes nodes of the machines that
    Juju has made for a bundle file.
    """

    model: JujuModel
    home: Path
    base: str
    machines: Mapping[str, str]
    nodes: Sequence[Node]
    adopt: Callable[[Mapping[str, MachineStatus]], Sequence[Node]]
    settings: Juju
    repository: Repository | None
    archive: Mapping[str, tuple[str, str]]
    say: Callable[[str], None]

    def deploy(self, topology: Topology) -> DeployResult:
        """Deploy, and watch until all units are well.

        Raises Failed and InfrastructureError, which name the unit or the machine, and ConfigurationError for
        a bundle that Juju refuses.
        """
        if self.repository is None:
            raise ConfigurationError("the lab's archive has nothing for the track yet", hint="build it first")
        asking = pinned(topology)
        for node in self.nodes:
            if node.name in asking:  # a charm would give the archive no more weight than the distribution's
                node.write(PREFERENCES, "\n".join([*self.repository.pin, ""]))
        look = replace(self.model, patiently=once).status  # the watch has a patience of its own
        watch = Watch(look, self.say, topology, lost_seconds=60 * self.settings.boot_minutes)
        return self._carry_out(topology, self.repository, watch)

    def _carry_out(self, topology: Topology, repository: Repository, watch: Watch) -> DeployResult:
        began = time.monotonic()
        retried: list[LabError] = []

        def retry(blame: Blame) -> None:
            retried.append(self._error(blame, topology))
            self.say(f"{retried[-1]}; the hook is retried")
            try:
                self.model.retry_hook(blame.entity)
            except JujuRefused as error:  # the failure stays, and counts
                self.say(str(error))

        watch.retries = HookRetries(self.settings.retries, retry)
        self._begin(topology, repository)
        if self.settings.steps:
            self._well(*watch.until_settled(self.settings.minutes), watch)
            steps.carry_out(self.settings.steps, self.model, self.home, self.say)
        status = self._well(*watch.until_well(self.settings.minutes), watch)
        took = {"install": round(time.monotonic() - began, 2), **watch.ready}
        nodes = self.adopt(status.all_machines()) if self.settings.bundle else self.nodes
        topology = placed(topology, status, {machine: name for name, machine in self.machines.items()})
        services = {each.name: self._service(each, status) for each in topology.applications}
        return DeployResult(services, self._installed(nodes, topology), took, retried=retried)

    def _begin(self, topology: Topology, repository: Repository) -> None:
        tested = [each for each in topology.applications if not each.supporting and bundle.charm(each).origin]
        over = self.home / "overlay.yaml"
        files.write_atomic(over, bundle.overlay(tested, repository))
        if self.settings.bundle:
            paths, mapped = [*map(Path, (self.settings.bundle, *self.settings.overlays)), over], []
        else:
            paths = [self.home / "bundle.yaml", over]
            files.write_atomic(paths[0], bundle.bundle(topology, self.machines, self.base))
            pairs = ",".join(f"{machine}={machine}" for machine in self.machines.values())
            mapped = [f"--map-machines={pairs}"] if pairs else []
        try:
            with readable(paths) as (main, *overlays):
                words = [word for overlay in overlays for word in ("--overlay", overlay)]
                # After an election, it goes on where it was.
                self.model.call("deploy", main, *words, *mapped, timeout=DEPLOY_SECONDS)
        except JujuRefused as error:
            raise refused(error) from None

    def _well(self, status: Status, blame: Blame | None, watch: Watch) -> Status:
        """Return a status without a fault.  Raises Failed and InfrastructureError for the fault."""
        if blame:
            error = self._error(blame, watch.topology)
            count = watch.retries.of(blame.entity)
            others = [name for name, unit in status.units().items() if name != blame.entity and unit.fault(name)]
            told = [str(error), *([f"retried {plural(count, 'time')}"] if count else []), *_also(others)]
            raise type(error)("; ".join(told)) if len(told) > 1 else error
        return status

    def _error(self, blame: Blame, topology: Topology) -> LabError:
        if not blame.log:
            return blame.error(topology)
        try:
            lines = self.model.log_of(blame.entity)
        except LabError as error:
            return blame.error(topology, str(error))
        for line in lines[-LINES:]:
            self.say(line)
        found = hook_log.failure(lines)
        if found.is_labs:
            return InfrastructureError(f"{blame.entity}: {blame.message}: {found.line}")
        return blame.error(topology, found.line)

    def _installed(self, nodes: Sequence[Node], topology: Topology) -> list[Installed]:
        asking = {node for each in topology.applications if not each.supporting for node in each.nodes}
        return [
            each
            for node in nodes
            for each in installation.installed(node, self.repository if node.name in asking else None, self.archive)
        ]

    def _service(self, application: Application, status: Status) -> Service:
        is_identity = application.role.NAME == keystone.NAME
        settings = charmed_keystone.settings(self.model, application, status) if is_identity else {}
        return Service(
            role=application.role.NAME,
            nodes=application.nodes,
            packages=application.packages,
            options=dict(application.options),
            settings=settings,
        )


def _also(units: Sequence[str]) -> list[str]:
    rest = [f"{len(units) - MOST} more"] if len(units) > MOST else []
    return [f"in error are also {', '.join([*units[:MOST], *rest])}"] if units else []


def pinned(topology: Topology) -> set[str]:
    """Return the nodes that can have packages to be tested: a subordinate has those of its principals.

    Before there are units, nobody knows which of the applications that it relates to these are.
    """
    found = {node for each in topology.applications if not each.supporting for node in each.nodes}
    subordinates = [each.name for each in topology.applications if not (each.supporting or each.nodes)]
    beside = {name for subordinate in subordinates for name in related(subordinate, topology)}
    return found | {node for each in topology.applications if each.name in beside for node in each.nodes}


def placed(topology: Topology, status: Status, names: Mapping[str, str]) -> Topology:
    """Return a topology with the nodes that the units of its applications are on, also those of subordinates.

    ``names``: those of nodes by machine, where they were there before.
    """
    units = status.units()
    applications = []
    for each in topology.applications:
        machines = dict.fromkeys(unit.machine for name, unit in units.items() if application_of(name) == each.name)
        nodes = tuple(names.get(machine, node_name(machine)) for machine in machines if machine)
        applications.append(replace(each, nodes=nodes))
    return replace(topology, applications=tuple(applications))


def refused(error: JujuRefused) -> LabError:
    """Return why Juju refuses a bundle: a fault of the description, unless the controller is unreachable."""
    _, cannot, why = error.why.rpartition("cannot deploy bundle: ")
    if AWAY.search(QUOTED.sub("", why)) or not (cannot or FAULTY.search(why)):
        return error
    key = "relations" if ABOUT_RELATIONS.search(why) else "applications"
    return ConfigurationError(f"deployment.{key}: {without_middle(why, LONGEST)}")
