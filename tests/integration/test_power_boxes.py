"""The real fence_ipmilan and fence_redfish against simulators of their devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from lab.config.access import Login
from lab.config.machines import Power
from scripts.machines import fence_agent
from scripts.machines.power import PowerSwitch
from tests.integration.power_boxes import LOGIN, PowerBoxes, boxes
from tests.processes import wait_for
from tests.scripts.machines.outlets import Outlets

pytestmark = [pytest.mark.integration, pytest.mark.full]


@dataclass
class Boxed:
    """Two machines behind power boxes."""

    boxes: PowerBoxes
    outlets: Outlets

    @property
    def power(self) -> Power:
        return Power.model_validate(self.boxes.power["node0"])

    def switch(self, login: Login = LOGIN) -> PowerSwitch:
        return PowerSwitch("node0", self.power, login)

    def answers(self) -> bool:
        try:
            return self.switch().status() == "off"
        except InfrastructureError:
            return False


@pytest.fixture(params=["ipmi", "redfish"])
def boxed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Boxed]:
    outlets = Outlets(["node0", "node1"])
    with boxes(request.param, tmp_path, outlets) as made:
        box = Boxed(made, outlets)
        assert wait_for(box.answers)
        yield box
        assert not outlets.is_on("node1"), "the other machine was never touched"


def test_power_of_machine(boxed: Boxed) -> None:
    assert not list(fence_agent.faults(fence_agent.options(boxed.power.agent), boxed.power))
    node, outlets = boxed.switch(), boxed.outlets
    node.switch("on")
    assert (node.status(), outlets.is_on("node0")) == ("on", True)
    node.cycle()
    assert (node.status(), outlets.is_on("node0")) == ("on", True)
    node.switch("off")
    assert (node.status(), outlets.is_on("node0")) == ("off", False)


def test_box_that_is_away(boxed: Boxed) -> None:
    boxed.boxes.end()
    with pytest.raises(InfrastructureError, match=rf"^node0: {boxed.power.agent}: status: \S.*") as caught:
        boxed.switch().status()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("boxed", ["ipmi"], indirect=True)
def test_refused_login(boxed: Boxed) -> None:
    with pytest.raises(InfrastructureError, match=r"^node0: fence_ipmilan: off: \S.*") as caught:
        boxed.switch(Login("admin", "wrong!")).switch("off")
    assert "\n" not in str(caught.value)
    assert "wrong!" not in str(caught.value)
