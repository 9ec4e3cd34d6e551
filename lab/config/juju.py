"""The settings of the driver juju."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from lab.config.types import MOST, Label, PlainValue, SettingsModel, Text, beside_lab_file, matching


def _beside_lab_file(words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    program, *others = words
    return (beside_lab_file(program, info) if "/" in program else program, *others)


class JujuStep(SettingsModel):
    """A command between the deployment of a bundle and its use, such as an action of a charm."""

    run: Annotated[tuple[Text, ...], AfterValidator(_beside_lab_file)] = Field(
        min_length=1,
        description="The command on this machine, as a list of words, with the model in JUJU_MODEL. A program with a "
        "slash in its name is a path that starts at the directory of the lab file.",
        examples=[["juju", "run", "octavia/leader", "configure-resources"]],
    )
    timeout_minutes: int = Field(30, ge=1, le=MOST, description="The maximum time, in minutes.")


MOST_RETRIES = 10
# Of models: the archive, the mark, and what tells why a hook failed.
OURS = frozenset({"automatically-retry-hooks", "cloudinit-userdata", "extra-info", "logging-config"})


# See core/constraints in Juju's source.
SIZES = frozenset({"mem", "root-disk"})
NUMBERS = frozenset({"cores", "cpu-cores", "cpu-power"})
CONSTRAINTS = SIZES | NUMBERS | {
    "allocate-public-ip", "arch", "container", "image-id", "instance-role", "instance-type", "root-disk-source", "spaces",
    "tags", "virt-type", "zones",
}  # fmt: skip


def _constraints(text: str) -> str:
    for word in text.split():
        name, sign, value = word.partition("=")
        if not sign:
            raise ValueError(f"not a constraint: {word}; write NAME=VALUE, with spaces between")
        if name not in CONSTRAINTS:
            raise ValueError(f"no constraint {name}; known: {', '.join(sorted(CONSTRAINTS))}")
        form = r"(\d+(\.\d+)?[MGTPEZY]?)?" if name in SIZES else r"\d*"
        if name in SIZES | NUMBERS and not re.fullmatch(form, value):
            raise ValueError(f"not a {'size' if name in SIZES else 'number'}: {word}")
    return text


Base = Annotated[str, matching(r"[a-z]+@[0-9a-z.]+(/[a-z]+)?", "not a base: write it as ubuntu@24.04")]
Constraints = Annotated[Text, AfterValidator(_constraints)]
ModelKey = Annotated[str, matching(r"[a-z][a-z0-9-]*", "not a key of a model's: lower-case letters, digits and -")]


def _tag(step: object) -> str:
    return "[name]" if isinstance(step, str) else "[command]"


JujuStepChoice = Annotated[
    Annotated[Literal["vault"], Tag("[name]")] | Annotated[JujuStep, Tag("[command]")], Discriminator(_tag)
]


class Juju(SettingsModel):
    """The models of the driver juju."""

    controller: Text | None = Field(None, description="The controller. Default: the client's current controller.")
    cloud: Text | None = Field(
        None, description="The cloud, as `CLOUD[/REGION]`. Default: the cloud of the controller."
    )
    base: Base | None = Field(
        None, description="The base of the machines. Default: the series of the track.", examples=["ubuntu@24.04"]
    )
    credential: Text | None = Field(None, description="The cloud credential of the models. Default: the client's own.")
    constraints: Constraints | None = Field(
        None,
        description="The constraints of the machines that qalab adds. Default: the smallest machines of the cloud. A "
        "bundle file has its own.",
        examples=["mem=8G cores=4 virt-type=virtual-machine"],
    )
    bundle: Annotated[Text, AfterValidator(beside_lab_file)] | None = Field(
        None,
        description="A bundle to deploy as it is. Juju makes its machines, and `applications` names those that are "
        "tested. A relative path starts at the directory of the lab file. Default: a bundle from `applications` and "
        "`relations`.",
        examples=["bundles/noble-caracal.yaml"],
    )
    overlays: tuple[Annotated[Text, AfterValidator(beside_lab_file)], ...] = Field(
        (), description="Overlays of the bundle, in their order. Their paths start there too."
    )
    config: Mapping[ModelKey, PlainValue] = Field(
        {}, description="Further configuration of the model.", examples=[{"default-space": "oam"}]
    )
    steps: tuple[JujuStepChoice, ...] = Field(
        (),
        description="The steps after the deployment, once no unit changes any more: `vault` initializes and unseals "
        "vault, authorizes its charm and has it make a root certificate; or commands. Then all units must become active.",
        examples=[["vault", {"run": ["juju", "run", "ceilometer/leader", "ceilometer-upgrade"]}]],
    )
    resting: Mapping[Label, Literal["blocked", "waiting", "maintenance"]] = Field(
        {},
        description="Applications whose units are well in another workload status than active.",
        examples=[{"nrpe": "blocked"}],
    )
    retries: int = Field(
        0,
        ge=0,
        le=MOST_RETRIES,
        description="How often a unit runs a failed hook again. A deployment that needed that for a hook of what is "
        "tested is `unstable`, and the record has the failure.",
    )
    boot_minutes: int = Field(
        1,
        ge=1,
        le=MOST,
        description="The maximum time for a lost agent to come back, in minutes. Bare machines whose charms reboot them need more.",
    )
    timeout_minutes: int | None = Field(
        None,
        ge=1,
        le=MOST,
        description="The maximum time for machines to start, and then for all units to become active, in minutes. "
        "Default: 60, and 240 for a bundle file.",
    )

    @property
    def minutes(self) -> int:
        return self.timeout_minutes or (240 if self.bundle else 60)

    @field_validator("config")
    @classmethod
    def _leave_ours(cls, config: Mapping[str, str | int | float | bool]) -> Mapping[str, str | int | float | bool]:
        if taken := [name for name in config if name in OURS]:
            raise ValueError(f"{taken[0]}: qalab sets it")
        return config
