"""The settings of bare machines: how the lab switches their power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from lab.config.types import SettingsModel, Text, matching

OptionName = Annotated[str, matching(r"[a-z][a-z0-9_-]*", "not an option: lower-case letters, digits, - and _")]


class Power(SettingsModel):
    """A machine's power switch, driven by a fence agent."""

    agent: Annotated[str, matching(r"fence_[a-z0-9_]+", "not a fence agent: the name of one begins with fence_")] = (
        Field(description="The fence agent, a program of Debian's fence-agents.", examples=["fence_cdu"])
    )
    options: Mapping[OptionName, str | int | bool] = Field(
        {},
        description="The agent's options as its metadata (`-o metadata`) names them, except for the user and the password.",
        examples=[{"ip": "pdu.example.org", "plug": "rack1_node0"}],
    )
    credentials: Text = Field(
        "env",
        description="The source of the user and the password: `env` (QALAB_POWER_USER, QALAB_POWER_PASSWORD; if unset, no "
        "login), `ini:PATH` (section `power`) or `keyring:SERVICE`. A relative path starts at the directory of the lab file.",
    )


class BareMachine(SettingsModel):
    """A machine of the lab: people hold it and release it, and switch its power, with `qalab machine`."""

    power: Power = Field(description="The power switch.")
