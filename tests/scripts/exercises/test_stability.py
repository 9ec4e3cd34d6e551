"""The exercise stability: the decline of a unit, and the line that explains an error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from lab.base.run import Result
from scripts.exercises import stability
from scripts.exercises.cases import Cases, read
from scripts.exercises.scene import Scene
from scripts.services.deployed_state import Deployed, NodeBaseline, Service
from scripts.services.node_health import LoggedEntry, NodeHealth

ACTIVE = {"ActiveState": "active", "Result": "success"}
DECLINES = {
    "good": (ACTIVE, 0, [], ""),
    "failed, and started by hand": (ACTIVE, 0, [], "it failed (exit-code), and was started again"),
    "restarted once": (ACTIVE, 1, [], "it was restarted 1 time"),
    "restarted twice": (ACTIVE, 2, [], "it was restarted 2 times"),
    "crashed and restarted": (ACTIVE, 1, ["code=dumped, status=11/SEGV"], "it crashed: code=dumped, status=11/SEGV"),
    "dead": ({"ActiveState": "failed", "Result": "exit-code"}, 0, [], "it is failed (exit-code)"),
    "ended": ({"ActiveState": "inactive", "Result": "success"}, 0, [], "it is inactive (its program ended without an error)"),
    "done": ({"ActiveState": "inactive", "Result": "success", "Type": "oneshot"}, 0, [], ""),
}  # fmt: skip


@pytest.mark.parametrize("what", DECLINES)
def test_decline_of_unit(what: str) -> None:
    state, restarted, crashes, expected = DECLINES[what]
    assert stability.decline(state, restarted, crashes, "exit-code" if "by hand" in what else "") == expected


def test_others_leaves_out_units_of_applications() -> None:
    health = NodeHealth(
        entries=(
            LoggedEntry("web.service", "Segmentation fault", is_error=False),
            LoggedEntry("x.service", "dumped core", is_error=False),
        ),
        lines=("/var/log/a: Segmentation fault",),
        failed=("web.service", "tidy.service"),
        restarted={"web.service": 2, "x.service": 1},
        rebooted=True,
        emptied=("web.service", "y.service"),
        ended=dict.fromkeys(("web.service", "x.service", "tidy.service", "nightly.service"), "exit-code"),
    )
    assert stability.others(health, {"web.service"}, {"tidy.service": "no space", "nightly.service": "no rights"}) == [
        "it was rebooted",
        "x.service crashed: dumped core",
        "a program crashed: /var/log/a: Segmentation fault",
        "tidy.service failed: no space",
        "x.service was restarted 1 time",
        "no program of y.service runs any more",
        "nightly.service failed (exit-code), and is not failed any more: no rights",
    ]


class QuietNode:
    """A node whose one service runs, and has logged an error and a crash of another program."""

    name = "node0"
    OUTPUTS: ClassVar = {
        "sh": "=== cursor\n=== failed\n=== restarts\n=== sizes\n=== entries\n"
        '{"__CURSOR":"1","_SYSTEMD_UNIT":"web.service","MESSAGE":"ERROR it broke","PRIORITY":"3"}\n'
        '{"__CURSOR":"2","UNIT":"x.service","MESSAGE":"x.service: Failed with result \'core-dump\'","PRIORITY":"4"}\n'
        "=== lines\n",
        "systemctl": "Id=web.service\nActiveState=active\nSubState=running\nType=simple\nResult=success\nNRestarts=0\n",
    }

    def run(self, argv: Sequence[str], **_: object) -> Result:
        return Result(tuple(argv), 0, self.OUTPUTS.get(argv[0], ""))


@pytest.mark.parametrize("errors", [True, False])
def test_look_counts_errors_on_demand(tmp_path: Path, *, errors: bool) -> None:
    service = Service(role="package", nodes=("node0",), packages=(), units=("web.service",))
    deployed = Deployed(
        track="trunk", component="web", version="1", commit="", finished="", nodes={}, services={"web": service}, packages=()
    )  # fmt: skip
    cases = Cases("tempest-nodes", tmp_path / "cases.jsonl")
    scene = Scene(deployed, {"node0": QuietNode()})  # type: ignore[dict-item]
    stability.look(scene, cases, {"node0": NodeBaseline(cursor="0")}, errors=errors)
    found = {case.name: case.outcome for case in read(cases.path)}
    of_errors = {"web: web.service logged no error on node0": "failed"} if errors else {}
    assert found == {
        "web: web.service kept running on node0": "passed",
        **of_errors,
        "node0: nothing else failed or crashed": "failed",
    }
