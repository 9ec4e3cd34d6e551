"""configure: create the resources that exercises need in the cloud.

It creates a user with a project and EC2 credentials; a network of floating addresses, and a network of the project,
connected by a router; a security group, a key pair, a flavour; and a machine image of the guest (see
`scripts.openstack.guest`).  A second run creates what is missing and nothing twice.  Without a deployed cloud the
step is ``skipped``.

Facts: ``environment``, ``guest`` (the cache key of its content), ``made`` (ids and names).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lab.base import resources
from lab.base.errors import Failed, InfrastructureError
from lab.base.run import Word
from lab.config import apt
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
from scripts.deployment import environments, expectation
from scripts.openstack import guest
from scripts.openstack.guest import Guest
from scripts.services.cloud_settings import FILE, Configured

NAME = "configure"
LONGEST_SECONDS = 300.0
SECRETS = {"password", "access", "secret", "key"}


def described(made: Configured) -> str:
    """Return the names of the resources that the cloud now has."""
    parts = {
        f"the user {made.user}": made.user,
        "networks, a router and a security group": made.network,
        "a flavour and a key pair": made.flavor,
        "the guest's image": made.image,
    }
    return ", ".join(part for part, exists in parts.items() if exists)


def action(context: StepContext) -> StepOutcome:
    record = context.run.record("deploy")
    if record and record.verdict == "skipped":
        return StepOutcome(record.message, version=record.version, verdict="skipped")
    if record:
        context.earlier("deploy")
    target = environments.target(context.lab, context.track_name, context.log)
    home = context.store.environments / context.track_name
    with environments.exclusive_turn(context.lab, context.track_name):
        if why := environments.in_use_error(context):
            return StepOutcome(why, version=context.run.info.version, verdict="skipped")
        deployed = environments.deployed(context, target)
        if superseded := expectation.another(context, deployed):
            return superseded
        roles = {service.role for service in deployed.services.values()}
        if "keystone" not in roles:
            return StepOutcome("no keystone is deployed, and so no cloud to configure", verdict="skipped")
        (home / FILE).unlink(missing_ok=True)
        argv: list[Word] = [sys.executable, "-m", "scripts.openstack.resources", home]
        machine: Guest | None = None
        if {"glance", "nova"} <= roles:
            sources = apt.sources(context.series_name, context.series)
            machine = guest.made(context.series_name, sources, context.log)
            argv.append(machine.path)
        result = target.beside(argv, cwd=resources.ROOT, timeout=LONGEST_SECONDS, capture=True, check=False)
        if not result:
            why = result.stdout.strip() or f"it ended with status {result.returncode}; see the log"
            raise (Failed if result.returncode == Failed.exit_code else InfrastructureError)(why)
        made = Configured.read(home / FILE)
    facts = {
        "environment": context.track_name,
        "guest": machine.key if machine else "",
        "made": made.model_dump(exclude=SECRETS),
    }
    return StepOutcome(described(made), version=deployed.version, commit=deployed.commit, facts=facts)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
