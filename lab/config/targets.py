"""Contradictions between a deployment and its target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab.config.deployment import Deployment
from lab.config.machines import BareMachine


def contradictions(
    deployment: Deployment, machines: Mapping[str, BareMachine]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the keys that the target of a deployment cannot serve, each with the reason."""
    for limit in ("memory", "disk"):
        if getattr(deployment.limits, limit) and deployment.target not in {"nspawn", "qemu"}:
            yield (
                ("deployment", "limits", limit),
                f"the target {deployment.target} has no such limit; nspawn and qemu have",
            )
    if deployment.target == "juju":
        yield from _juju_contradictions(deployment)
    if deployment.target == "ssh":
        yield from _ssh_contradictions(deployment)
    if deployment.target == "metal":
        yield from _metal_contradictions(deployment, machines)


def _metal_contradictions(
    deployment: Deployment, machines: Mapping[str, BareMachine]
) -> Iterator[tuple[tuple[str, ...], str]]:
    wanted = set(deployment.metal.labels)
    have = sum(machine.installable and wanted <= {*machine.labels} for machine in machines.values())
    need = len({number for unit in deployment.applications.values() for number in unit.to})
    if have < need:
        labels = f" with the labels {', '.join(sorted(wanted))}" if wanted else ""
        yield (
            ("deployment", "target"),
            f"metal: {need} machines with mac, address and disk{labels} are needed; machines has {have}",
        )


def _juju_contradictions(deployment: Deployment) -> Iterator[tuple[tuple[str, ...], str]]:
    if deployment.juju and deployment.juju.bundle and deployment.relations:
        yield ("deployment", "relations"), "those of deployment.juju.bundle count; write others into an overlay"
    if deployment.juju and deployment.juju.overlays and not deployment.juju.bundle:
        yield ("deployment", "juju", "overlays"), "there is no deployment.juju.bundle that they belong to"
    for name, unit in deployment.applications.items():
        if unit.reboot:
            yield ("deployment", "applications", name, "reboot"), "Juju deploys charms, which reboot by themselves"


def _ssh_contradictions(deployment: Deployment) -> Iterator[tuple[tuple[str, ...], str]]:
    if not deployment.ssh:
        yield ("deployment", "ssh"), "missing; the hosts, and the command that restores them"
        return
    most = len(deployment.ssh.hosts)
    for name, unit in deployment.applications.items():
        if max(unit.to, default=0) >= most:
            last = "0" if most == 1 else f"0 to {most - 1}"
            key = ("deployment", "applications", name, "to")
            yield key, f"no host {max(unit.to)} in deployment.ssh.hosts; known: {last}"
