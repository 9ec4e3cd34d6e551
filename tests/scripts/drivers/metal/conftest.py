"""A lab of three machines without their hardware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lab.base import files
from lab.base.clock import Clock
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.drivers.metal.driver import MetalTarget
from scripts.drivers.metal.image import FILES, MetalImage
from scripts.machines.lab_server import BootServer
from tests.lab.config.test_machines import described, machine
from tests.scripts.machines.doubles import Direct, RackDouble, programs

JUMP = 40.0  # a second of sleep, in seconds of the test


@dataclass
class Room:
    """The lab, its rack, and its time, which goes on when somebody sleeps; ``at``: what happens at a time then."""

    lab: Lab
    rack: RackDouble
    image: MetalImage
    serving: AbstractContextManager[Any]
    now: float = 0.0
    events: dict[float, Callable[[], object]] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return Store.of(self.lab)

    def target(self, track: str = "trunk", **values: Any) -> MetalTarget:
        clock = Clock(lambda: self.now, self.sleep)
        return replace(MetalTarget(self.store.environments / track, None, self.lab, clock=clock), **values)

    def sleep(self, seconds: float) -> None:
        self.rack.tick()
        with self.rack.lock:
            self.now += seconds * JUMP
            for time in [time for time in self.events if time <= self.now]:
                self.events.pop(time)()


def made_image(path: Path, key: str = "1") -> MetalImage:
    path.mkdir()
    for name in FILES:
        (path / name).write_text(f"the {name}")
    sums = "".join(f"{files.sha256(path / name)}  {name}\n" for name in FILES)
    (path / "SHA256SUMS").write_text(sums)
    return MetalImage(path, "bookworm", key, {})


@pytest.fixture
def described_lab(lab_factory: Callable[..., Lab]) -> Lab:
    machines = {f"node{number}": machine(number) for number in range(3)}
    machines["node2"]["labels"] = ["ssd"]
    deployment = {"target": "metal", "metal": {"boot_minutes": 5}, "applications": {}}
    return lab_factory(lab=described(machines=machines, deployment=deployment))


@pytest.fixture
def room(described_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setenv("QALAB_POWER_USER", "admn")
    monkeypatch.setenv("QALAB_POWER_PASSWORD", "secret")
    programs(tmp_path / "rack", monkeypatch)
    assert described_lab.lab_server
    rack = RackDouble.of(tmp_path / "rack", described_lab, Direct(BootServer(described_lab, described_lab.lab_server)))
    serving = files.locked(Store.of(described_lab).lock_path("lab-server"))
    with serving:
        yield Room(described_lab, rack, made_image(tmp_path / "image"), serving)
