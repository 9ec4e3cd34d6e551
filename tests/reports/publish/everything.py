"""A lab with all of its services on loopback."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.jenkins.double import Double
from tests.reports.publishing import Press, a_jenkins_build, a_lab, make_receivers
from tests.reports.smtp import MailServer

TWINS = {"passed": "SUCCESS", "failed": "FAILURE", "unstable": "UNSTABLE", "error": "FAILURE", "aborted": "ABORTED"}


HISTORY = {"history_days": 36_500}  # builds of tests are old


VERDICTS = ("passed", "failed", "unstable", "passed", "error", "aborted", "failed", "passed")


class Everything:
    """A lab with a private and a public Jenkins, and a mail server."""

    def __init__(
        self, home: Path, private: Double, public: Double, mail: MailServer, components: Sequence[str] = ("greet",)
    ) -> None:
        self.private, self.public, self.mail = private, public, mail
        self.lab = a_lab(
            home,
            tuple(components),
            jenkins={"url": private.url},
            public={"site_url": "https://qa.lab.example/", "jenkins": {"url": public.url}},
            notifications={"mail": {"to": ["qa@lab.example"], "server": mail.url, "most_per_hour": 1000, **HISTORY}},
        )
        make_receivers(public, self.lab, home)
        self.press = Press(self.lab, home, private)

    def build(self, component: str = "greet", number: int = 1, verdict: str = "passed", **more: object) -> None:
        a_jenkins_build(self.private, self.lab, component, number, verdict, **more)

    def twins(self, component: str = "greet") -> list[str]:
        """Return the numbers of the mirrored builds, in their order."""
        builds = [build for number, build in self.numbered(component)]
        return [str(build.display_name).partition(" ")[0] for build in builds]

    def numbered(self, component: str) -> list[tuple[int, object]]:
        item = self.public._state.item(f"trunk-{component}-build")
        return sorted(item.builds.items())

    @property
    def site(self) -> Path:
        return self.press.place.site / "current"

    def site_numbers(self, component: str = "greet") -> list[int]:
        return sorted(
            build["number"]
            for path in (self.site / "api/v1/b").glob("*/*.json")
            if (build := json.loads(path.read_text()))["component"] == component
        )
