"""Publishing at full size: hundreds of builds at once, and the publisher killed at every request and every write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.base.errors import Verdict
from reports.outcomes import RunResults
from reports.transitions import HistoryPoint, transitions
from tests.jenkins.double import Double
from tests.reports.killing import Killer
from tests.reports.publish.everything import TWINS, Everything
from tests.reports.publishing import receive
from tests.reports.smtp import MailServer
from tests.reports.test_publish_killed import Scene, run

pytestmark = pytest.mark.integration
COMPONENTS = tuple(f"component-{number:02}" for number in range(12))
BUILDS = 25
STEPS = {
    "passed": RunResults(roster="", sound_steps=("sbuild", "lintian")),
    "failed": RunResults(roster="", faults=("sbuild",)),
    "unstable": RunResults(roster="", faults=("lintian",), sound_steps=("sbuild",)),
}
VERDICTS: tuple[Verdict, ...] = (
    "passed",
    "failed",
    "failed",
    "unstable",
    "passed",
    "error",
    "aborted",
    "passed",
    "passed",
    "failed",
)


def verdict(component: int, number: int) -> Verdict:
    return VERDICTS[(component * 7 + number * 3) % len(VERDICTS)]


@pytest.fixture
def all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Everything]:
    for side in ("QALAB_JENKINS", "QALAB_PUBLIC_JENKINS"):
        monkeypatch.setenv(f"{side}_USER", "admin")
        monkeypatch.setenv(f"{side}_TOKEN", "secret")
    with Double() as private, Double(run=receive) as public, MailServer() as mail:
        yield Everything(tmp_path, private, public, mail, COMPONENTS)


def test_publish_of_300_builds(all_there: Everything) -> None:
    for number in range(1, BUILDS + 1):
        for place, component in enumerate(COMPONENTS):
            all_there.build(component, number, verdict(place, number), text=f"said in {component} {number}")
    report = all_there.press.run()
    assert report.lines == []
    assert report.bundled == len(COMPONENTS) * BUILDS
    told = Counter[str]()
    for place, component in enumerate(COMPONENTS):
        wanted = [verdict(place, number) for number in range(1, BUILDS + 1)]
        assert all_there.site_numbers(component) == list(range(1, BUILDS + 1))
        assert all_there.twins(component) == [f"#{number}" for number in range(1, BUILDS + 1)]
        for (number, twin), one in zip(all_there.numbered(component), wanted, strict=True):
            assert twin.result == TWINS[one]
            assert f"said in {component} {number}" in twin.log
        points = [
            HistoryPoint(str(number), number * 86_400.0, one, STEPS.get(one)) for number, one in enumerate(wanted)
        ]
        told[component] = len(list(transitions(points, 7)))
    assert Counter(subject.split()[1] for subject in all_there.mail.subjects) == told
    wrote, mails = len(all_there.public.writes()), len(all_there.mail.taken)
    for _ in range(2):
        assert all_there.press.run().lines == []
        assert (len(all_there.public.writes()), len(all_there.mail.taken)) == (wrote, mails)
        all_there.press.forget()


@pytest.mark.full
def test_publish_recovers_after_kill_at_every_event(tmp_path: Path) -> None:
    with Double() as private, Double(run=run) as public, MailServer() as mail, Killer() as killer:
        scene = Scene(tmp_path, private, public, mail, killer)
        count = scene.publish("whole", 0)
        for at in range(1, count + 1):
            scene.publish(f"killed-{at}", at)
