"""What `lab.yaml` says of a deployment: what runs where, on which machines, and how it is tried out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from lab.config.types import Label, Login, Pattern, PlainPath, SettingsModel, SourceName, Text


class ApplicationSettings(SettingsModel):
    """A service of the deployment: what it is and where it runs."""

    role: Label
    packages: tuple[SourceName, ...] = ()
    to: tuple[int, ...] = (0,)
    options: Mapping[Text, str | int | bool] = {}
    charm: Text | None = Field(None, description="juju: its charm; default: called as the role is.")
    channel: Text | None = Field(None, description="juju: the channel of its charm.")
    origin: Text | None = Field(
        None, description="juju: the option of its charm that takes the lab's archive; default: it takes nothing of it."
    )


def _beside(path: str, info: ValidationInfo) -> str:
    # Whoever reads a file says where it is.
    return str(Path(info.context["home"], path)) if info.context else path


class Tempest(SettingsModel):
    """Which of Tempest's tests are run, and what is known of them."""

    tests: tuple[Pattern, ...] = Field((r"\bsmoke\b",), description="Regular expressions of test ids.")
    concurrency: int = Field(2, ge=1, description="How many tests run side by side.")
    known_failures: Annotated[Text, AfterValidator(_beside)] | None = Field(
        None, description="File of tests that are known to fail, each with its reason; beside lab.yaml when relative."
    )


class Machines(SettingsModel):
    """Machines that exist, for the driver ssh: of a MAAS, a cloud, or bare metal."""

    hosts: tuple[Login, ...] = Field(
        min_length=1, description="USER@HOST[:PORT]: node0, node1 ...; USER is root, or may sudo without a password."
    )
    restore: tuple[Text, ...] = Field(
        min_length=1,
        description="Command of this machine, word by word, that brings one back to pristine; {host} and {node} stand for it.",
    )
    identity: PlainPath | None = Field(None, description="The private key; default: OpenSSH's own settings.")
    known_hosts: PlainPath | None = Field(None, description="The keys of hosts; default: OpenSSH's own settings.")
    boot_minutes: int = Field(15, ge=1, description="How long a machine may take to answer again.")


class Juju(SettingsModel):
    """Where the driver juju makes its models."""

    controller: Text | None = Field(None, description="Default: the client's current one.")
    cloud: Text | None = Field(None, description="CLOUD[/REGION]; default: the controller's.")
    base: Text | None = Field(None, description="ubuntu@24.04, say; default: of the track's series.")
    timeout_minutes: int = Field(
        60, ge=1, description="How long machines may take to come up, and then all units to become active."
    )


class Deployment(SettingsModel):
    """What is deployed, shaped as a Juju bundle."""

    target: Literal["nspawn", "juju", "ssh"] = "nspawn"
    applications: Mapping[Label, ApplicationSettings]
    relations: tuple[tuple[Text, Text], ...] = ()
    exercises: tuple[Label, ...] = ()
    tempest: Tempest | None = None
    ssh: Machines | None = None
    juju: Juju | None = None
