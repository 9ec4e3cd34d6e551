"""The settings of a deployment: its applications, its machines, and the tests that run against it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from lab.config.juju import Juju
from lab.config.machines import MetalChoice
from lab.config.types import (
    MOST,
    BinaryName,
    Label,
    Login,
    Pattern,
    PlainPath,
    PlainValue,
    SettingsModel,
    Text,
    beside_lab_file,
    matching,
)


class ApplicationSettings(SettingsModel):
    """An application of the deployment: its role, its packages and its nodes."""

    role: Label = Field(
        description="The role: one of the lab's own (see `roles`), `package`, `mariadb`, `rabbitmq`, `memcached`, `keystone`, `glance`, `placement`, `nova`, "
        "`nova-compute`, `neutron` or `cinder`; with the driver juju, any charm."
    )
    packages: tuple[BinaryName, ...] = Field(
        (),
        description="Binary packages. Default: the packages of the role; for the role package, the packages of the "
        "component in the archive that has the name of the application.",
    )
    to: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0,),
        description="The numbers of the nodes that run the application. With the driver juju, an application without this "
        "key has a node of its own; a subordinate has `[]`.",
        examples=[[0, 1]],
    )
    options: Mapping[Text, PlainValue] = Field(
        {},
        description="Options of the role and of the exercises. The role package knows `health` and `patience` (seconds), "
        "the role neutron `mechanism` and `external_cidr`; any application knows `starts_nothing` (true or false), `command`, "
        "`prints` and `accept_errors` (a regular expression). With the driver juju, all but the last three are the charm's.",
        examples=[{"health": "systemctl is-active ntpsec"}],
    )
    supporting: bool | None = Field(
        None,
        description="Whether the application only supports others: its faults are the lab's. Default: as the role is.",
    )
    isolation: Literal["container", "machine"] = Field(
        "container",
        description="What it needs: `machine` for what loads kernel modules, or changes the boot loader or the disks. A "
        "container of the target nspawn is not enough then, and the deployment is skipped.",
    )
    reboot: bool = Field(
        False,
        description="Whether its nodes are rebooted after the installation, before it is configured and started. It "
        "needs a machine.",
    )
    charm: Text | None = Field(None, description="juju: the charm. Default: the charm with the name of the role.")
    channel: Text | None = Field(
        None, description="juju: the channel of the charm. Default: Juju's own choice.", examples=["2024.1/stable"]
    )
    origin: Text | None = Field(
        None,
        description="juju: the option of the charm that takes the lab's archive. Default: none; such an application "
        "only supports the others.",
        examples=["openstack-origin"],
    )


BESIDE: Final = "beside"


def _relative(path: str) -> str:
    # The same place on this machine and on a node, which has no other file of the lab.
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        message = "not a path below the directory of the lab file: write it relative, without .."
        raise ValueError(message)
    return path


class Tempest(SettingsModel):
    """The selection of Tempest tests."""

    tests: tuple[Pattern, ...] = Field((r"\bsmoke\b",), description="Regular expressions of test ids.")
    concurrency: int = Field(2, ge=1, le=MOST, description="The number of tests that run in parallel.")


class Machines(SettingsModel):
    """Existing machines, for the driver ssh: from a MAAS, a cloud, or bare metal."""

    hosts: tuple[Login, ...] = Field(
        min_length=1,
        description="The machines node0, node1 ... as `USER@HOST[:PORT]`. USER is root, or can use sudo without a "
        "password.",
        examples=[["root@node0.example.org", "root@node1.example.org"]],
    )
    restore: tuple[Text, ...] = Field(
        min_length=1,
        description="The command on this machine that restores a machine to its pristine state, as a list of words. "
        "`{host}` and `{node}` are placeholders.",
        examples=[["maas-restore", "{host}"]],
    )
    identity: PlainPath | None = Field(None, description="The private key. Default: OpenSSH's own settings.")
    known_hosts: PlainPath | None = Field(None, description="The file of host keys. Default: OpenSSH's own settings.")
    boot_minutes: int = Field(
        15, ge=1, le=MOST, description="The maximum time for a machine to answer again after a restore, in minutes."
    )


class OwnExercise(SettingsModel):
    """An exercise of the lab's own: a program in the lab's repository."""

    name: Label = Field(description="The name of the exercise, and the class of its test cases.")
    run: Annotated[Text, AfterValidator(_relative)] = Field(
        description="The program, an executable file. Its path starts at the directory of the lab file.",
        examples=["exercises/smoke.sh"],
    )
    files: tuple[Annotated[Text, AfterValidator(_relative)], ...] = Field(
        (), description="Further files and directories that the program needs. Their paths start there too."
    )
    where: Label = Field(  # YAML reads a key "on" as true
        BESIDE,
        description="The place where it runs: `beside` (this machine, where it can reach the nodes), a node such as "
        "`node0`, or an application, which means its first node.",
    )
    result: Literal["exit", "tap", "junit", "subunit"] = Field(
        "exit",
        description="The result: its exit code, or test cases in a format. They are in the file that the variable "
        "QALAB_RESULT names, or else on its standard output.",
    )
    timeout_minutes: int = Field(5, ge=1, le=MOST, description="The maximum time, in minutes.")


ExerciseName = Annotated[
    str, matching(r"[a-z][a-z0-9-]*", "not the name of an exercise; one of your own is {name: NAME, run: PATH}")
]


def _tag(exercise: object) -> str:
    return "[name]" if isinstance(exercise, str) else "[own]"


ExerciseChoice = Annotated[
    Annotated[ExerciseName, Tag("[name]")] | Annotated[OwnExercise, Tag("[own]")], Discriminator(_tag)
]


class Limits(SettingsModel):
    """The limits of a deployment."""

    minutes: int = Field(
        30,
        ge=1,
        le=MOST,
        description="The maximum time for the installation of the packages on a node, for the start of a unit, and for "
        "each script that sets up an application, in minutes. A maintainer script that does not end is a fault of its package, "
        "a unit or a script one of its application.",
    )
    memory: int | None = Field(
        None,
        ge=256,
        le=MOST,
        description="nspawn and qemu: the memory of each node, in MiB. Default: 1024 for qemu, "
        "all memory of the machine for nspawn.",
        examples=[2048],
    )
    disk: int | None = Field(
        None, ge=4, le=MOST, description="nspawn and qemu: the space for each node, in GiB; for nspawn, that for changes. Only what is used takes "
        "space. Default: 20 for qemu, all space of the machine for nspawn.",
        examples=[40],
    )  # fmt: skip


class Deployment(SettingsModel):
    """The applications to deploy, in the structure of a Juju bundle, and the exercises to run afterwards.

    See [deploying](../how-to/deploying.md). Without this section, a track with the phase `deploy` installs each component
    by itself. A track can have its own `exercises` and `tempest`.
    """

    target: Literal["nspawn", "qemu", "metal", "juju", "ssh"] = Field(
        "nspawn",
        description="The driver of the machines: containers on this machine (`nspawn`), virtual machines on it (`qemu`), "
        "bare machines (`metal`), Juju's machines (`juju`), or existing machines (`ssh`).",
    )
    applications: Mapping[Label, ApplicationSettings] = Field(description="The applications, each with its name.")
    relations: tuple[tuple[Text, Text], ...] = Field(
        (), description="Pairs of applications: `[A, B]` means that A needs B and starts after it.",
        examples=[[["keystone", "mariadb"]]],
    )  # fmt: skip
    exercises: tuple[ExerciseChoice, ...] = Field(
        (),
        description="The exercises in addition to `installed`, `command` and `stability`, which always run: `token`, `image-bundle`, "
        "`instance`, `floating-ip`, `volume`, `ec2`; or exercises of the lab's own.",
        examples=[[{"name": "smoke", "run": "exercises/smoke.sh", "where": "node0", "result": "tap"}]],
    )
    roles: Annotated[Text, AfterValidator(beside_lab_file)] | None = Field(
        None,
        description="The directory of the lab's own roles. Each has a directory there with the file `role.yaml`; see "
        "[deploying](../how-to/deploying.md). A relative path starts at the directory of the lab file. Default: none.",
        examples=["roles"],
    )
    recommends: bool = Field(
        False,
        description="Whether the packages that others recommend are installed as well, as apt does by default, and their "
        "services started.",
    )
    limits: Limits = Field(Limits(), description="The limits of the deployment.")
    settle_seconds: int = Field(
        30,
        ge=0,
        le=MOST,
        description="The time during which services must keep running after their start, before the deployment passes, "
        "in seconds.",
    )
    tempest: Tempest | None = Field(None, description="The Tempest tests. Default: no Tempest test runs.")
    ssh: Machines | None = Field(None, description="The machines of the driver ssh, which requires this key.")
    metal: MetalChoice = Field(MetalChoice(), description="The choice of machines for the target metal.")
    juju: Juju | None = Field(None, description="Settings of the driver juju. Default: those of Juju's client.")

    @property
    def places(self) -> Mapping[str, tuple[int, ...]]:
        """The numbers of the nodes of each application."""
        named = [unit for unit in self.applications.values() if "to" in unit.model_fields_set]
        own = count(max((number for unit in named for number in unit.to), default=-1) + 1)
        is_juju = self.target == "juju"
        return {
            name: (next(own),) if is_juju and "to" not in unit.model_fields_set else unit.to
            for name, unit in self.applications.items()
        }
