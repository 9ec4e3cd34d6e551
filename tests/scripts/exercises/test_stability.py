"""The exercise stability: the decline of a unit, and the line that explains an error."""

from __future__ import annotations

import pytest

from scripts.exercises import stability
from scripts.services.node_health import LoggedEntry, NodeHealth

ACTIVE = {"ActiveState": "active", "Result": "success"}
DECLINES = {
    "good": (ACTIVE, 0, [], ""),
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
    assert stability.decline(state, restarted, crashes) == expected


def test_others_leaves_out_units_of_applications() -> None:
    health = NodeHealth(
        entries=(
            LoggedEntry("web.service", "Segmentation fault", is_error=False),
            LoggedEntry("x.service", "dumped core", is_error=False),
        ),
        lines=("/var/log/a: Segmentation fault",),
        failed=("web.service", "tidy.service"),
        restarted={"web.service": 2, "x.service": 1},
    )
    assert stability.others(health, {"web.service"}, {"tidy.service": "no space"}) == [
        "x.service crashed: dumped core",
        "a program crashed: /var/log/a: Segmentation fault",
        "tidy.service failed: no space",
        "x.service was restarted 1 time",
    ]
