"""A context for an output, and bundles to deliver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import Verdict
from lab.config.description import Lab
from lab.results.build_identity import build_id
from lab.results.cases import Case
from lab.store.records import rfc3339
from reports import bundle
from reports.lab_view import LabView
from reports.model import Build, Commit, Log, ReviewedBuild, started_ms
from reports.outcomes import results
from reports.outputs.delivery import Output, OutputContext, PendingDelivery, PublisherClock, Tombstone
from reports.transitions import HistoryPoint
from tests.reports.publications import a_build
from tests.reports.publishing import Time, a_lab
from tests.reports.smtp import MailServer

FAILING = Case(
    suite="s", classname="c", name="boot", outcome="failed", message="it <b>fell</b>", evidence="line 1\nline 2"
)


@dataclass
class Bench:
    """A lab and its published builds."""

    home: Path
    lab: Lab
    time: Time = field(default_factory=Time)
    builds: dict[str, Build] = field(default_factory=dict)
    items: dict[str, PendingDelivery] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    retracted: dict[str, int] = field(default_factory=dict)
    """The retracted builds, with the number of builds that were published then."""

    @property
    def context(self) -> OutputContext:
        return OutputContext(
            lab=self.lab,
            base=self.home,
            home=self.home / "outputs",
            site=self.home / "site",
            view=LabView,
            bisections=tuple,
            published=lambda: list(self.items.values()),
            history=self.history,
            verdicts=self.verdicts,
            of_proposal=self.of_proposal,
            find=self.items.get,
            authors=lambda name: self.addresses.get(name, []),
            clock=PublisherClock(self.time.now, self.time.sleep),
        )

    def history(self, component: str, track: str, phase: str) -> list[HistoryPoint]:
        lane = (component, track, phase)
        found = [self._point(name, self.builds[name]) for name, item in self.items.items() if item.lane == lane]
        return sorted(found, key=lambda one: one.started)

    def verdicts(self) -> list[tuple[str, tuple[str, str, str], Verdict]]:
        newest: dict[tuple[str, str, str], str] = {}
        found: list[tuple[str, tuple[str, str, str], Verdict]] = []
        for name, item in self.items.items():
            started = self.builds[name].started
            if newest.setdefault(item.lane, started) <= started:
                newest[item.lane] = started
                found.append((name, item.lane, self.builds[name].verdict))
        return found

    def of_proposal(self, key: str) -> list[ReviewedBuild]:
        found = [(name, build) for name, build in self.builds.items() if build.proposal and build.proposal.key == key]
        built = [
            ReviewedBuild(name, self.items[name].lane, started_ms(build.started), build.verdict)
            for name, build in found
        ]
        return sorted(built, key=lambda build: build.started)

    def _point(self, name: str, build: Build) -> HistoryPoint:
        found, names = results(build)
        started, delay = started_ms(build.started) / 1000, self.delays.get(name, 0.0)
        arrival = [*self.items].index(name) + 1
        if name in self.retracted:
            return HistoryPoint(
                name, started, build.verdict, None, frozenset(), build.commit, delay, arrival,
                is_retracted=True, retracted_after=self.retracted[name],
            )  # fmt: skip
        return HistoryPoint(name, started, build.verdict, found, frozenset(names), build.commit, delay, arrival)

    def publish(self, number: int, verdict: str = "passed", day: int = 0, **fields: Any) -> PendingDelivery:
        """Publish a build that started on ``day``."""
        bad = verdict in {"failed", "unstable"}
        made = {
            "number": number,
            "verdict": verdict,
            "started": f"2026-01-{day or number:02}T00:00:00.000Z",
            "finished": f"2026-01-{day or number:02}T00:01:00.000Z",
            "step": "sbuild" if bad else "",
            "commit": f"{number:040x}",
            "commits": (Commit(id=f"{number:040x}", subject=f"Change {number}"),),
            "cases": (FAILING,) if bad else (),
            "logs": (Log(name="sbuild.log", path="logs/sbuild.log", size=4, lines=1),),
        }
        build = a_build(**(made | fields))
        path = bundle.write(build, {log.path: b"log\n" for log in build.logs}, self.home / "bundles")
        name = build_id(build.id)
        self.builds[name] = build
        self.items[name] = PendingDelivery(name, path, (build.component, build.track, build.phase))
        return self.items[name]

    def retract(self, output: Output, name: str) -> None:
        """Retract a build, now."""
        self.retracted[name] = len(self.items)
        component, track, phase = self.items[name].lane
        now = rfc3339(datetime.fromtimestamp(self.time.now(), UTC))
        output.withdraw([Tombstone(name=name, component=component, track=track, phase=phase, retracted=now)])

    def deliver(self, output: Output, items: Iterable[PendingDelivery] | None = None) -> list[tuple[int, str, str]]:
        """Deliver builds; return the number, outcome and note of each."""
        wanted = list(self.items.values() if items is None else items)
        return [(self.builds[one.name].number, one.how, one.note) for one in output.deliver(wanted)]


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    """Return ``bench(notifications={...}, ...)``: a lab with these settings."""

    def make(**settings: Any) -> Bench:
        return Bench(tmp_path, a_lab(tmp_path, **settings))

    return make


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.config.jenkins.PAUSES_SECONDS", (0.0, 0.0))


@pytest.fixture(scope="session")
def mail_server() -> Iterator[MailServer]:
    with MailServer() as one:
        yield one


@pytest.fixture
def server(mail_server: MailServer) -> MailServer:
    """A mail server without mails, the same for all tests."""
    mail_server.forget()
    return mail_server
