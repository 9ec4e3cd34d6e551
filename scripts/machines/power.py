"""The power of a machine: each change is verified by the status that the switch reports afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from lab.base.clock import Clock
from lab.base.errors import InfrastructureError
from lab.config import access
from lab.config.access import Login
from lab.config.description import Lab
from lab.config.machines import Power
from scripts.machines import fence_agent

State = Literal["on", "off"]
# Some devices apply a change seconds after they have accepted it.
CHANGE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True)
class PowerSwitch:
    """The power switch of a machine, with its login."""

    machine: str
    power: Power
    login: Login
    clock: Clock = field(default_factory=Clock)

    def status(self) -> str:
        """Return ``on`` or ``off``.  Raises InfrastructureError when the switch says neither."""
        return fence_agent.call(self.machine, self.power, self.login, "status")

    def switch(self, state: State) -> None:
        """Switch the power on or off.  Raises InfrastructureError when the status is not that afterwards."""
        fence_agent.call(self.machine, self.power, self.login, state)
        last = self.clock.monotonic() + CHANGE_SECONDS
        while (found := self.status()) != state:
            if self.clock.monotonic() >= last:
                agent = self.power.agent
                raise InfrastructureError(f"{self.machine}: {agent}: {state} was accepted, and the status is {found}")
            self.clock.sleep(LOOK_SECONDS)

    def cycle(self) -> None:
        """Switch the power off, verify that it is off, and switch it on."""
        self.switch("off")
        self.switch("on")


def switch_of(lab: Lab, machine: str) -> PowerSwitch:
    """Return the power switch of a machine.  Raises ConfigurationError for credentials that are not there."""
    power = lab.machines[machine].power
    return PowerSwitch(machine, power, access.login(power.credentials, lab.file.parent, "power"))
