"""Publishing from a private Jenkins that fails or is slow."""

from __future__ import annotations

import pytest

from tests.jenkins.faults import FOREVER
from tests.reports.publish.everything import Everything


@pytest.mark.integration
@pytest.mark.parametrize(
    "kind, path",
    [
        (500, "jobs%5B"),
        ("reset", "allBuilds"),
        (503, "tree=timestamp"),
        ("lost", "artifact"),
        ("lost", "progressiveText"),
    ],
)
def test_failing_private_jenkins_is_retried(all_there: Everything, kind: int | str, path: str) -> None:
    all_there.build(number=1)
    all_there.build(number=2)
    all_there.private.fault(kind, path=path, times=3)
    report = all_there.press.run()
    assert len(report.lines) == 1
    assert report.exit_code == 3
    all_there.press.time.sleep(61)
    assert all_there.press.run().lines == []
    assert (all_there.site_numbers(), all_there.twins()) == ([1, 2], ["#1", "#2"])


@pytest.mark.integration
def test_slow_private_jenkins_is_retried(all_there: Everything) -> None:
    all_there.press.timeout = 1.5
    all_there.build(number=1)
    all_there.private.fault("slow", path="progressiveText", seconds=60.0, times=3)
    (line,) = all_there.press.run().lines
    assert "did not answer within 1.5 seconds" in line
    all_there.press.timeout = 60.0
    all_there.private.heal()
    all_there.press.time.sleep(61)
    assert all_there.press.run().lines == []
    assert all_there.twins() == ["#1"]


@pytest.mark.integration
@pytest.mark.parametrize("kind", [400, 401, 403, "page"])
def test_refusal_that_passes_lets_no_build_overtake(all_there: Everything, kind: int | str) -> None:
    """The public Jenkins would skip the build that comes late."""
    all_there.build(number=1)
    all_there.build(number=2)
    all_there.private.fault(kind, path="1/artifact/results/sbuild.log")
    assert len(all_there.press.run().lines) == 1
    assert all_there.twins() == []
    all_there.press.time.sleep(61)
    assert all_there.press.run().lines == []
    assert all_there.twins() == ["#1", "#2"]


@pytest.mark.integration
def test_refusal_that_stays_stops_no_other_build(all_there: Everything) -> None:
    all_there.build(number=1)
    all_there.build(number=2)
    all_there.private.fault(400, path="1/artifact/results/sbuild.log", times=FOREVER)
    all_there.press.run()
    all_there.press.time.sleep(61)
    assert len(all_there.press.run().lines) == 1
    assert all_there.twins() == ["#2"]
