"""Retractions: published builds are removed everywhere, permanently."""

from __future__ import annotations

import re

import pytest

from lab.base.errors import ConfigurationError
from reports.outputs.delivery import Tombstone
from tests.jenkins.faults import FOREVER
from tests.reports.publish.everything import Everything


@pytest.mark.integration
def test_retract_unpublishes_permanently(all_there: Everything) -> None:
    for number in (1, 2, 3):
        all_there.build(number=number)
    all_there.press.run()
    name = next(
        path.parent.name for path in all_there.site.glob("b/*/*/index.html") if "build 2" in path.read_text().lower()
    )
    assert all_there.press.retract(f"https://qa.lab.example/b/{name[:2]}/{name}/").lines == []
    assert all_there.site_numbers() == [1, 3]
    assert all_there.twins() == ["#1", "#3"]
    assert name not in (all_there.site / "feed.atom").read_text()
    assert not list(all_there.press.place.site.rglob(f"*{name}*"))
    with pytest.raises(ConfigurationError, match=f"{name}: is retracted already"):
        all_there.press.retract(name)
    for _ in range(2):
        all_there.press.run()
        assert (all_there.site_numbers(), all_there.twins()) == ([1, 3], ["#1", "#3"])
        all_there.press.forget()
    with pytest.raises(ConfigurationError, match="nothing: no published build"):
        all_there.press.retract("nothing")


@pytest.mark.integration
def test_interrupted_retraction_is_completed(all_there: Everything) -> None:
    for number in (1, 2):
        all_there.build(number=number)
    all_there.press.run()
    with all_there.press.journal() as actual:
        entry = actual.builds.published()[0]
    stone = Tombstone(name=entry.name, component="greet", track="trunk", phase="build", retracted="")
    stone.write(all_there.press.place.tombstone(entry.name))
    assert all_there.press.run().lines == []
    assert (all_there.site_numbers(), all_there.twins()) == ([2], ["#2"])
    assert not all_there.press.place.bundle(entry.bundle).exists()


@pytest.mark.integration
def test_refused_retraction_is_retried(all_there: Everything) -> None:
    all_there.build(number=1)
    all_there.press.run()
    all_there.public.fault(403, path="doDelete")
    (name,) = [path.parent.name for path in all_there.site.glob("b/*/*/index.html")]
    (line,) = all_there.press.retract(name).lines
    assert re.fullmatch(rf"jenkins: .*admin may not POST .*delete the build with SOURCE_ID {name} manually\)", line)
    assert all_there.site_numbers() == []
    assert all_there.press.run().lines == []  # after it was allowed
    assert all_there.twins() == []


@pytest.mark.integration
def test_refused_retraction_does_not_delay_others(all_there: Everything) -> None:
    all_there.build(number=1)
    all_there.press.run()
    all_there.public.fault(403, path="doDelete", times=FOREVER)
    (name,) = [path.parent.name for path in all_there.site.glob("b/*/*/index.html")]
    all_there.press.retract(name)
    all_there.build(number=2)
    report = all_there.press.run()
    assert [line.partition(":")[0] for line in report.lines] == ["jenkins"]
    assert report.exit_code == 2
    assert all_there.twins() == ["#1", "#2"]
