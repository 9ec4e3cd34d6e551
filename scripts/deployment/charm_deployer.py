"""The deployer of charms: a bundle onto machines that are there, watched until all units are well."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.run import COMPLAINT, LONGEST
from scripts.chroots.bootstrap import PREFERENCES, Repository
from scripts.deployment import installation
from scripts.deployment.deployer import DeployResult
from scripts.drivers.interfaces import Node
from scripts.drivers.juju import bundle
from scripts.drivers.juju.client import AWAY, DEPLOY_SECONDS, JujuModel, JujuRefused
from scripts.drivers.juju.status import Blame, Status
from scripts.drivers.juju.watch import Watch
from scripts.drivers.topology import Application, Topology
from scripts.roles import keystone
from scripts.services.deployed_state import Installed, Service

LINES = 100
# A line of debug-log: the entity, the time, the level, the module; see its reference.
LOGGED = re.compile(r"^\S+: \d\S* (?:TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<module>\S+) (?P<said>.*)$")
# The lines that explain a failed hook best: messages of apt and dpkg, else any error.
TELLING = (installation.ABOUT_APT, re.compile(r"dpkg: error"), COMPLAINT, re.compile(r"\w(?:Error|Exception)\b"))
# What no charm and no package is to blame for.
LABS = re.compile(f"Failed to fetch|Temporary failure resolving|{installation.FULL}")
ABOUT_RELATIONS = re.compile(r"\brelations?\b")


@dataclass(frozen=True)
class Charms:
    """Deploys a topology with Juju; ``machines``: their ids by node; ``home``: where the bundle is written."""

    model: JujuModel
    home: Path
    base: str
    machines: Mapping[str, str]
    nodes: Sequence[Node]
    repository: Repository | None
    archive: Mapping[str, tuple[str, str]]
    say: Callable[[str], None]
    minutes: float

    def deploy(self, topology: Topology) -> DeployResult:
        """Deploy, and watch until all units are well.

        Raises Failed and InfrastructureError, which name the unit or the machine, and ConfigurationError for
        a bundle that Juju refuses.
        """
        if self.repository is None:
            raise ConfigurationError("the lab's archive has nothing for the track yet", hint="build it first")
        tested = [each for each in topology.applications if not each.supporting]
        asking = {node for each in tested for node in each.nodes}
        began = time.monotonic()
        for node in self.nodes:
            if node.name in asking:  # a charm would give the archive no more weight than the distribution's
                node.write(PREFERENCES, "\n".join([*self.repository.pin, ""]))
        self._begin(topology, tested, self.repository)
        watch = Watch(self.model.status, self.say, topology)
        status, blame = watch.until_well(self.minutes)
        if blame:
            raise self._error(blame, topology)
        took = {"install": round(time.monotonic() - began, 2), **watch.ready}
        packages = self._installed(asking)
        services = {each.name: self._service(each, status) for each in topology.applications}
        return DeployResult(services, packages, took)

    def _begin(self, topology: Topology, tested: Sequence[Application], repository: Repository) -> None:
        described, over = self.home / "bundle.yaml", self.home / "overlay.yaml"
        files.write_atomic(described, bundle.bundle(topology, self.machines, self.base))
        files.write_atomic(over, bundle.overlay(tested, repository))
        pairs = ",".join(f"{machine}={machine}" for machine in self.machines.values())
        mapped = [f"--map-machines={pairs}"] if pairs else []
        try:
            self.model.call("deploy", described, "--overlay", over, *mapped, timeout=DEPLOY_SECONDS)
        except JujuRefused as error:
            raise refused(error) from None

    def _error(self, blame: Blame, topology: Topology) -> LabError:
        evidence = ""
        if blame.log:
            try:
                lines = self.model.log_of(blame.entity, LINES)
            except LabError as error:
                lines = [str(error)]
            for line in lines:
                self.say(line)
            evidence = failure_line(lines)
        if LABS.search(evidence):
            return InfrastructureError(f"{blame.entity}: {blame.message}: {evidence}")
        return blame.error(topology, evidence)

    def _installed(self, asking: set[str]) -> list[Installed]:
        return [
            each
            for node in self.nodes
            for each in installation.installed(node, self.repository if node.name in asking else None, self.archive)
        ]

    def _service(self, application: Application, status: Status) -> Service:
        settings = self._identity(application, status) if application.role.NAME == keystone.NAME else {}
        return Service(
            role=application.role.NAME,
            nodes=application.nodes,
            packages=application.packages,
            options=dict(application.options),
            settings=settings,
        )

    def _identity(self, application: Application, status: Status) -> dict[str, str]:
        """Return what clients of keystone need; the password appears on no command line and in no log."""
        units = status.applications[application.name].units
        unit = next((each for each in units.values() if each.leader), next(iter(units.values())))
        try:
            results = self.model.run_action(f"{application.name}/leader", "get-admin-password")
        except JujuRefused as error:
            raise application.fault(str(error)) from None
        return {
            "auth_url": f"http://{unit.address}:5000/v3",
            "user": keystone.ADMIN,
            "password": str(results["admin-password"]),
            "domain": "admin_domain",  # the charm's, whatever its options
            "region": str(application.options.get("region", keystone.REGION)),
        }


def refused(error: JujuRefused) -> LabError:
    """Return why Juju refuses a bundle: a fault of the description, unless the controller is unreachable."""
    _, cannot, why = error.why.rpartition("cannot deploy bundle: ")
    if not cannot or AWAY.search(why):
        return error
    key = "relations" if ABOUT_RELATIONS.search(why) else "applications"
    return ConfigurationError(f"deployment.{key}: {why[:LONGEST]}")


def failure_line(lines: Sequence[str]) -> str:
    """Return the line of a unit's log that best explains why a hook failed."""
    entries = [match for line in lines if (match := LOGGED.match(line))]
    of_charm = [entry["said"].strip() for entry in entries if entry["module"].startswith("unit.")]
    said = of_charm or [entry["said"].strip() for entry in entries] or list(lines)
    for pattern in TELLING:
        if found := [line for line in said if pattern.search(line)]:
            return found[-1][:LONGEST]
    return said[-1][:LONGEST] if said else ""
