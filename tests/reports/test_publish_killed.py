"""The publisher killed (SIGKILL) at a request or a write: the next pass completes it, and repeats no delivery.

Here at some of them; tests/integration kills it at every one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jenkins.double import Double
from tests.jenkins.state import Build
from tests.reports.killing import Killer
from tests.reports.publishing import a_jenkins_build, a_lab, make_receivers, quick
from tests.reports.smtp import MailServer

SAMPLES = 4
JOB = "trunk-greet-build"


class Scene:
    """Two builds on a private Jenkins, and all outputs; ``publish`` begins without published builds."""

    def __init__(self, home: Path, private: Double, public: Double, mail: MailServer, killer: Killer) -> None:
        self.home, self.private, self.public, self.mail, self.killer = home, private, public, mail, killer
        lab = a_lab(
            home,
            jenkins={"url": private.url},
            public={"site_url": "https://qa.lab.example/", "jenkins": {"url": public.url}},
            notifications={"mail": {"server": mail.url, "history_days": 36_500}},
        )
        make_receivers(public, lab, home)
        for number, verdict in ((1, "failed"), (2, "passed")):
            kept = a_jenkins_build(private, lab, "greet", number, verdict)
            kept.artifacts = {name: data for name, data in kept.artifacts.items() if not name.endswith(".log")}

    def publish(self, name: str, at: int) -> int:
        """Publish until killed, then again; return the number of events of the first pass."""
        job = self.public._state.item(JOB)
        job.builds.clear()
        job.next_number = 1
        self.mail.taken.clear()
        state = self.home / name
        code, count = self.killer.publish(self.home, state, self.private.url, at)
        assert code == (-9 if at else 0), f"{name}: {code}"
        for days in (1, 2):
            assert self.killer.publish(self.home, state, self.private.url, days=days)[0] == 0
        self.check(state, name)
        return count

    def check(self, state: Path, name: str) -> None:
        """Check that each output has each build once, and in order."""
        twins = [build for _, build in sorted(self.public._state.item(JOB).builds.items())]
        assert [str(build.display_name) for build in twins] == ["#1 1.1-1", "#2 1.2-1"], name
        mails = Counter(str(one.message["Message-ID"]) for one in self.mail.taken)
        subjects = list(dict.fromkeys(str(one.message["Subject"]).partition("trunk: ")[2] for one in self.mail.taken))
        assert subjects == ["never passed: step sbuild", "fixed after 1 day: step sbuild"], name
        # RFC 1047: if the answer of the server is lost, the same mail is sent again.
        assert (len(mails), len({one.data for one in self.mail.taken})) == (2, 2), name
        pages = (state / "qalab/testlab/site/current/api/v1/b").glob("*/*.json")
        assert sorted(json.loads(path.read_text())["number"] for path in pages) == [1, 2], name
        assert not list((state / "qalab/testlab").glob("spool/*")), name


def run(build: Build) -> None:
    """Refuse requests with a truncated body, as Jetty does; the double would make a build without parameters."""
    if any(isinstance(one.value, bytes) for one in build.parameters):
        quick(build)
    else:
        del build.job.builds[build.number]
        build.job.next_number = build.number


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    home = tmp_path_factory.mktemp("killed")
    with Double() as private, Double(run=run) as public, MailServer() as mail, Killer() as killer:
        yield Scene(home, private, public, mail, killer)


@pytest.mark.integration
def test_publisher_recovers_from_kill_at_any_event(scene: Scene) -> None:
    count = scene.publish("whole", 0)
    assert count > 100
    for at in range(1, SAMPLES + 1):
        scene.publish(f"killed-{at}", max(1, at * count // (SAMPLES + 1)))
