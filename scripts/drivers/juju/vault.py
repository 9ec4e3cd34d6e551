"""Vault, deployed as a charm: initialize it, unseal its units, authorize the charm, and have it make certificates.

See "Vault" in the OpenStack charm guide, and vault's documentation of ``operator init`` and ``sys/unseal``.  Keys and
tokens are in the environment's directory and on standard input only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import Field

from lab.base import files
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed
from scripts.drivers.juju import answers
from scripts.drivers.juju.client import JujuModel, JujuRefused
from scripts.drivers.juju.machine import JujuMachine, node_name
from scripts.drivers.juju.snap_files import readable
from scripts.drivers.juju.status_info import StatusPart

CHARM: Final = "vault"
KEYS: Final = "vault.json"
# The charm has made a certificate itself, with its option auto-generate-root-ca-cert.
HAS_ROOT: Final = re.compile(r"\bCA already configured")
# The charm's own listener, without TLS; the client is the snap's.
CLIENT: Final = "export VAULT_ADDR=http://127.0.0.1:8220 PATH=$PATH:/snap/bin; "


T = TypeVar("T")


class VaultKeys(StatusPart):
    """The output of ``vault operator init``."""

    unseal_keys_b64: tuple[str, ...] = Field(min_length=1)
    root_token: str


class VaultToken(StatusPart):
    """A token of vault."""

    client_token: str


class VaultLogin(StatusPart):
    """The output of ``vault token create``."""

    auth: VaultToken


def set_up(model: JujuModel, home: Path) -> None:
    """Set up vault as far as it is not yet.  Raises InfrastructureError where a unit or an action fails."""
    status = model.status()
    units = status.applications[CHARM].units if CHARM in status.applications else {}
    if not units:
        raise InfrastructureError("deployment.juju.steps: vault: the model has no unit of an application vault")
    leader = next((name for name, unit in units.items() if unit.leader), next(iter(units)))
    machines = {
        name: JujuMachine(model, unit.machine, node_name(unit.machine), unit.address) for name, unit in units.items()
    }
    kept = home / KEYS
    if not kept.exists():
        made = _vault(VaultKeys, machines[leader], "vault operator init -key-shares=1 -key-threshold=1 -format=json")
        files.write_atomic(kept, made.model_dump_json(), mode=0o600)
    keys = answers.parse(VaultKeys, kept.read_text(), str(kept))
    for machine in (machines[leader], *(each for name, each in machines.items() if name != leader)):
        _vault(StatusPart, machine, "vault write -format=json sys/unseal key=-", keys.unseal_keys_b64[0])
    login = "read -r VAULT_TOKEN; export VAULT_TOKEN; vault token create -ttl=10m -format=json"
    token = _vault(VaultLogin, machines[leader], login, keys.root_token).auth.client_token
    parameters = home / "vault-token.yaml"
    files.write_atomic(parameters, yaml.safe_dump({"token": token}), mode=0o600)
    try:
        with readable([parameters]) as (path,):
            model.run_action(f"{CHARM}/leader", "authorize-charm", path)
    finally:
        parameters.unlink()
    try:
        model.run_action(f"{CHARM}/leader", "generate-root-ca")
    except JujuRefused as error:
        if not HAS_ROOT.search(error.why):
            raise


def _vault(kind: type[T], machine: JujuMachine, command: str, stdin: str = "") -> T:
    """Return the JSON that vault prints on a machine; none of it is logged or told."""
    try:
        result = machine.run(["sh", "-c", CLIENT + command], stdin=f"{stdin}\n".encode(), capture=True, log=None)
    except ProgramFailed as error:
        raise InfrastructureError(f"{CHARM}: {machine.name}: {error.result.complaint}") from None
    try:
        return answers.parse(kind, result.stdout, CHARM)
    except InfrastructureError:  # its message has a part of the output
        why = f"{command.partition(' -')[0]} does not print the JSON that is documented"
        raise InfrastructureError(f"{CHARM}: {machine.name}: {why}") from None
