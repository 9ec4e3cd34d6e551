"""An update as an upgrade of the released deployment: why there is none, and whose fault a failing one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.config.description import Lab
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts.archives.package_source import PackageSource
from scripts.deployment import pocket_deployment
from scripts.deployment.deployer import DeployResult
from scripts.deployment.expectation import Wanted
from scripts.pockets import proposed
from scripts.services.deployed_state import Installed
from tests.scripts.pockets.test_selection import pocket

TRACK = {"trigger": "proposed", "phases": ["deploy", "exercise"]}
SERIES = {"bookworm": {"mirror": "http://m.example/debian"}}
RELEASED = "greet 1.0-1\nother 1"


@dataclass
class Target:
    """A target of which the upgrade uses nothing but the logs."""

    collected: list[Any] = field(default_factory=list)

    def nodes(self) -> list[Any]:
        return []

    def reaching(self, *_: Any) -> list[Any]:
        return []

    def collect_logs(self, place: Any) -> None:
        self.collected.append(place)


def deployed(source: str) -> DeployResult:
    package = Installed(node="node0", name="greet", version="1", source=source, source_version="1", ours=False)
    return DeployResult({}, [package], {"install": 1.0})


Upgrade = Callable[..., tuple[Any, Target, PackageSource]]


@pytest.fixture
def upgrade(lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> Upgrade:
    def make(released: str, before: DeployResult | LabError, after: DeployResult | LabError) -> tuple[Any, ...]:
        lab = lab_factory(track=TRACK, lab={"series": SERIES})
        found = proposed.chosen(lab, "trunk", pocket(released, "greet 1.0-2"), ["greet"])
        offer = PackageSource(lab, "trunk", found.archive, found, found.versions, found.content)

        def answer(result: DeployResult | LabError) -> Callable[..., DeployResult]:
            def made(*_: Any) -> DeployResult:
                if isinstance(result, LabError):
                    raise result
                return result

            return made

        monkeypatch.setattr(pocket_deployment, "_deploy_release", answer(before))
        monkeypatch.setattr(pocket_deployment.Packages, "upgrade", answer(after))
        context = StepContext(lab, Store.of(lab).new_run(lab, "trunk", "greet", phase="deploy"), None)  # type: ignore[arg-type]
        monkeypatch.setattr(Wanted, "check_installed", lambda *_: None)
        target = Target()
        try:
            result: Any = pocket_deployment.upgrade(context, Wanted("greet", "1.0-2", offer), target)  # type: ignore[arg-type]
        except LabError as error:
            result = error
        return result, target, offer

    return make


@pytest.mark.parametrize(
    ("released", "before", "none", "is_other"),
    [
        ("other 1", deployed("other"), "nothing of it is released", False),
        (RELEASED, deployed("other"), "nothing of it is in the released deployment", True),
        (RELEASED, Failed("no database"), "the release itself cannot be deployed: no database", True),
    ],
)
def test_no_upgrade_has_a_reason(upgrade: Upgrade, released: str, before: Any, none: str, *, is_other: bool) -> None:
    result, target, offer = upgrade(released, before, deployed("greet"))
    assert (result.made, result.none, result.is_other) == (None, none, is_other)
    assert target.collected == []
    assert proposed.is_new(offer.lab, "trunk", offer.state)


@pytest.mark.parametrize(
    "why",
    ["the upgrade removes cloud-init 0.7 from node0", "greet: greet.service runs on node0: it is failed",
     "the package greet cannot be installed: conffile"],
)  # fmt: skip
def test_failing_upgrade_is_the_fault_of_the_update(upgrade: Upgrade, why: str) -> None:
    error, target, offer = upgrade(RELEASED, deployed("greet"), Failed(why))
    assert (type(error), str(error)) == (Failed, f"as an upgrade of the release: {why}")
    assert not proposed.is_new(offer.lab, "trunk", offer.state)
    assert len(target.collected) == 1  # the logs of the nodes


def test_mirror_that_fails_during_the_upgrade_is_the_fault_of_the_lab(upgrade: Upgrade) -> None:
    error, target, offer = upgrade(RELEASED, deployed("greet"), InfrastructureError("packages cannot be fetched"))
    assert type(error) is InfrastructureError
    assert proposed.is_new(offer.lab, "trunk", offer.state)
    assert len(target.collected) == 1


def test_upgrade_that_goes_well_is_what_is_exercised(upgrade: Upgrade) -> None:
    made = deployed("greet")
    result, _, _ = upgrade(RELEASED, made, made)
    assert (result.made, result.none) == (made, "")
    assert {"released", "install"} == set(result.took)
