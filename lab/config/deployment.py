"""The settings of a deployment: its applications, its machines, and the tests that run against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lab.config.types import MOST, Label, Login, Pattern, PlainPath, SettingsModel, SourceName, Text, beside_lab_file


class ApplicationSettings(SettingsModel):
    """An application of the deployment: its role, its packages and its nodes."""

    role: Label = Field(
        description="The role: `package`, `mariadb`, `rabbitmq`, `memcached`, `keystone`, `glance`, `placement`, `nova`, "
        "`nova-compute`, `neutron` or `cinder`; with the driver juju, any charm."
    )
    packages: tuple[SourceName, ...] = Field(
        (),
        description="Binary packages. Default: the packages of the role; for the role package, the packages of the "
        "component in the archive that has the name of the application.",
    )
    to: tuple[int, ...] = Field(
        (0,), description="The numbers of the nodes that run the application.", examples=[[0, 1]]
    )
    options: Mapping[Text, str | int | bool] = Field(
        {},
        description="Options of the role and of the exercises. The role package knows `health`, `patience` (seconds), "
        "`command` and `prints`.",
        examples=[{"health": "systemctl is-active ntpsec"}],
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


class Tempest(SettingsModel):
    """The selection of Tempest tests, and the known failures among them."""

    tests: tuple[Pattern, ...] = Field((r"\bsmoke\b",), description="Regular expressions of test ids.")
    concurrency: int = Field(2, ge=1, le=MOST, description="The number of tests that run in parallel.")
    known_failures: Annotated[Text, AfterValidator(beside_lab_file)] | None = Field(
        None,
        description="A file of known failures, each with its reason. A relative path starts at the directory of the lab "
        "file. Default: none.",
    )


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


class Juju(SettingsModel):
    """The models of the driver juju."""

    controller: Text | None = Field(None, description="The controller. Default: the client's current controller.")
    cloud: Text | None = Field(
        None, description="The cloud, as `CLOUD[/REGION]`. Default: the cloud of the controller."
    )
    base: Text | None = Field(
        None, description="The base of the machines. Default: the series of the track.", examples=["ubuntu@24.04"]
    )
    timeout_minutes: int = Field(
        60,
        ge=1,
        le=MOST,
        description="The maximum time for machines to start, and then for all units to become active, in minutes.",
    )


class Deployment(SettingsModel):
    """The applications to deploy, in the structure of a Juju bundle, and the exercises to run afterwards.

    See [deploying](../how-to/deploying.md). Without this section, a track with the phase `deploy` installs each component
    by itself. A track can have its own `exercises` and `tempest`.
    """

    target: Literal["nspawn", "juju", "ssh"] = Field(
        "nspawn",
        description="The driver of the machines: containers on this machine (`nspawn`), Juju's machines (`juju`), or "
        "existing machines (`ssh`).",
    )
    applications: Mapping[Label, ApplicationSettings] = Field(description="The applications, each with its name.")
    relations: tuple[tuple[Text, Text], ...] = Field(
        (), description="Pairs of applications: `[A, B]` means that A needs B and starts after it.",
        examples=[[["keystone", "mariadb"]]],
    )  # fmt: skip
    exercises: tuple[Label, ...] = Field(
        (),
        description="The exercises in addition to `installed` and `command`, which always run: `token`, `image-bundle`, "
        "`instance`, `floating-ip`, `volume`, `ec2`.",
    )
    tempest: Tempest | None = Field(None, description="The Tempest tests. Default: no Tempest test runs.")
    ssh: Machines | None = Field(None, description="The machines of the driver ssh, which requires this key.")
    juju: Juju | None = Field(None, description="Settings of the driver juju. Default: those of Juju's client.")
