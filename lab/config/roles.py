"""Roles of a lab's own: for each a directory in the lab's repository, with a file role.yaml and the templates it names.

`scripts.roles.own` deploys an application that has such a role.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from lab.config import loading
from lab.config.application_options import command_fault
from lab.config.types import BinaryName, SettingsModel, Text, matching

FILE: Final = "role.yaml"
# A name in a template.
Identifier = Annotated[str, matching(r"[a-z_][a-z0-9_]*", "not a name: lower-case letters, digits and _")]
Mode = Annotated[str, matching(r"0?[0-7]{3}", "not a mode: three octal digits, quoted")]
Owner = Annotated[str, matching(r"[a-z_][a-z0-9_-]*(:[a-z_][a-z0-9_-]*)?", "not an owner: USER or USER:GROUP")]
DebconfAnswer = Annotated[
    str,
    matching(r"\S+ \S+ \S+( .*)?", "not an answer: PACKAGE QUESTION TYPE VALUE, as debconf-set-selections(1) reads"),
]
FilePath = Annotated[str, matching(r"/[^\n]+", "not an absolute path")]
UnitName = Annotated[
    str,
    matching(
        r"[\w:.@\\-]+\.(service|socket|timer|path|mount|target)",
        "not a unit: a name with its kind, such as greet.service",
    ),
]


def _command(text: str) -> str:
    fault = command_fault(text)
    if "{{" in text or "{%" in text:
        fault = "not a template: let a file of the role have the values, or its setup"
    if fault:
        raise ValueError(fault)
    return text


Command = Annotated[str, AfterValidator(_command)]


def _from_template(value: Any) -> Any:
    return {"template": value} if isinstance(value, str) else value


class RoleFile(SettingsModel):
    """A file that a role writes, from a Jinja2 template in the role's directory."""

    template: Text = Field(description="The template.")
    owner: Owner = Field("root:root", description="The owner and the group.")
    mode: Mode = Field("0644", description="The permissions.")


class RoleRelation(SettingsModel):
    """What a role gives to each application that relates to it."""

    values: Mapping[Identifier, Text] = Field(
        description="The values, templates. `client` has the name, user and password of the application.",
        examples=[{"url": "postgresql://{{ client.user }}:{{ client.password }}@{{ node.address }}/{{ client.user }}"}],
    )
    setup: str = Field("", description="A shell script, a template, that runs once for each application.")


class RoleDescription(SettingsModel):
    """A role: what its applications install, configure and start, and what they give to others."""

    packages: tuple[BinaryName, ...] = Field(
        (), description="The packages to install. Default: those of the component that has the application's name."
    )
    supporting: bool = Field(
        False, description="Whether the role only supports others: its faults are the lab's, and it starts first."
    )
    debconf: tuple[DebconfAnswer, ...] = Field((), description="Answers to the questions of packages.")
    options: Mapping[Identifier, str | int | bool] = Field({}, description="The options, with their default values.")
    files: Mapping[FilePath, Annotated[RoleFile, BeforeValidator(_from_template)]] = Field(
        {}, description="The files to write before services start, each with its template."
    )
    setup: str = Field("", description="A shell script, a template, that runs before services start.")
    units: tuple[UnitName, ...] = Field((), description="Units to start in addition to those of the packages.")
    health: Command | None = Field(
        None, description="A command that succeeds once the application is well; no shell reads it. Default: none."
    )
    patience: int = Field(60, ge=1, description="How long `health` is repeated, in seconds.")
    gives: Mapping[Identifier, RoleRelation] = Field({}, description="What it gives to others, each with its name.")
    takes: tuple[Identifier, ...] = Field((), description="What it takes from others that it relates to.")


def load(directory: Path) -> dict[str, RoleDescription]:
    """Return the roles in a directory by name.  Raises DescriptionError."""
    found = sorted(directory.glob(f"*/{FILE}"))
    if not found:
        raise loading.DescriptionError([f"{directory}: has no role: a directory with a file {FILE} for each"])
    return {path.parent.name: loading.read_model(path, RoleDescription) for path in found}
