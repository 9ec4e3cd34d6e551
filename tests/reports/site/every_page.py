"""A site that has each kind of page with content: for browsers, checkers and eyes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from lab.config.known_failures import KnownFailure
from lab.results.cases import Case
from lab.results.component_graph import ComponentGraph
from lab.store.records import rfc3339
from reports.activity import RunningBuild, WaitingBuild, activity
from reports.bisections import PointCounts, PublicBisection, PublicChange
from reports.lab_view import LabView
from reports.machines import PublicMachine
from reports.model import Build, StepSummary
from reports.promotions import TrackPromotion, UnpromotedComponent
from reports.site import Identity
from tests.reports.site.worlds import InMemory, World

ENDED = "2026-10-09T16:30:00.000Z"  # about when the newest build ends
SUSPECTS = (
    PublicChange(kind="upstream commit", id="815cb314e7" * 4, before="", after="", subject="Fix a race", author="Ada"),
    PublicChange(kind="packaging commit", id="92ad" * 10, before="", after="", subject="Drop a patch", author="Boris"),
    PublicChange(
        kind="distribution package",
        id="libc6",
        before="2.41-12+deb13u1",
        after="2.41-12+deb13u2",
        subject="",
        author="",
    ),
)


def _bisection(number: int, message: str, suspects: tuple[PublicChange, ...], rejected: str = "") -> PublicBisection:
    return PublicBisection(
        number=number, track="trunk-noble", component="swift", phase="build", kind="step", name="sbuild", outcome="found",
        message=message, started="2026-02-02T06:00:00.000Z", finished="2026-02-02T07:00:00.000Z", suspects=suspects,
        suspect_count=len(suspects), rejected=rejected, notes=("the older end was tested twice",),
        points=(PointCounts(change=None, passed=2, failed=0, untestable=0, message="built 3 packages in 40 s"),
                *(PointCounts(change=one, passed=0, failed=2, untestable=1, message="dh_auto_test failed") for one in suspects)),
    )  # fmt: skip


SITE = Identity(
    "a-lab-" + "x" * 74,
    "Every upstream commit, packaged and tested",
    "https://qa.lab.example/",
    (
        KnownFailure(
            test="unit/unit.test_tokens/*",
            reason="tokens end too early",
            bug="https://bugs.lab.example/1077",
            tracks=("trunk-noble",),
            until=date(2027, 1, 1),
        ),
    ),
    "https://archive.lab.example",
    tuple((name, "https://git.lab.example/c/{commit}") for name in ("keystone", "nova", "glance")),
    promotes=True,
    bisections=(
        _bisection(1, "proved: 815cb314e7 broke step sbuild", SUSPECTS[:1]),
        _bisection(2, "3 suspects are left for step sbuild", SUSPECTS, "Ada Author: the agent had no memory"),
    ),
)
LONG = "test_a_name_that_somebody_generated_from_parameters_" + "0123456789abcdef" * 10
LONG_TRACK = "proposed-" + "x" * 51
MANY, BAD = 700, 110  # results, so that they and the breakages need further pages
PHASES = {"test": ("installable", "autopkgtest"), "deploy": ("reset", "deploy"), "exercise": ("exercise", "tempest")}
SUBJECTS = (
    "תיקון בדיקה",
    "修正令牌校验",
    "Fix a subject that explains at length why the thing it changes had to be " * 3,
)


@dataclass(frozen=True)
class EveryPage:
    """A `World` with lanes of several phases, lanes that only err or had no build for long, and awkward names."""

    world: World

    def __iter__(self) -> Iterator[Path]:
        return iter(self.world)

    def read(self, path: Path) -> InMemory:
        found = self.world.read(path)
        return InMemory(self._changed(found.build), found.logs)

    def _changed(self, build: Build) -> Build:
        newest = self.world.count // len(self.world.lanes)
        place = build.component, build.track
        changed: dict[str, object] = {
            "agent": f"node-{build.number % 3}",
            "chroot_days": build.number % 50 / 10,
            "mirror_days": build.number % 9 / 10,
        }
        if place == ("glance", "trunk-noble") and build.number > newest - 7:
            changed |= {"verdict": "error", "step": "packaging", "message": "the mirror did not answer in 60 seconds",
                        "cases": (), "steps": (StepSummary(step="packaging", verdict="error", seconds=61.0),)}  # fmt: skip
        if place == ("placement", "proposed-noble"):
            changed |= {**_moved(build, days=-20), "track": LONG_TRACK, "job": f"{LONG_TRACK}/placement/build"}
        if build.component == "neutron" and build.commits:
            subject = SUBJECTS[build.number % 3]
            changed["commits"] = tuple(one.model_copy(update={"subject": subject}) for one in build.commits)
        if place == ("neutron", "trunk-trixie") and build.number > newest - 4:
            long = Case(suite="unit", classname="m", name=LONG, outcome="failed", message="0x" + "f" * 300)
            changed |= {"cases": (*build.cases, long), "verdict": "unstable", "step": "sbuild"}
        if place == ("swift", "trunk-noble") and build.number == newest:
            many = [
                Case(
                    suite="unit",
                    classname="many",
                    name=f"test_{number}",
                    outcome="failed" if number < BAD else "passed",
                )
                for number in range(MANY)
            ]
            changed |= {"cases": (*build.cases, *many), "verdict": "unstable", "step": "sbuild"}
        if build.component == "keystone" and (build.number % 4 or build.track == "trunk-trixie"):
            phase = ("build", *PHASES)[build.number % 4]
            changed |= _of_phase(build, phase)
        return build.model_copy(update=changed)


def _moved(build: Build, days: int) -> dict[str, object]:
    moments = {name: datetime.fromisoformat(getattr(build, name)) for name in ("started", "finished")}
    return {name: rfc3339(moment + timedelta(days=days)) for name, moment in moments.items()}


def _of_phase(build: Build, phase: str) -> dict[str, object]:
    if phase == "build" or build.verdict == "error":
        return {}
    names, is_bad = PHASES[phase], build.verdict in {"failed", "unstable"}
    steps = [
        StepSummary(step=name, verdict="failed" if is_bad and name == names[-1] else "passed", seconds=30.0, log="")
        for name in names
    ]
    return {
        "phase": phase,
        "job": f"{build.track}/{build.component}/{phase}",
        "steps": tuple(steps),
        "step": names[-1] if is_bad else "",
        "verdict": "failed" if is_bad else "passed",
        "message": "3 of 60 tests failed" if is_bad else "",
        "archive": f"{build.track}-{build.number}",
        "files": (),
    }


def view(track: str = "trunk-trixie") -> LabView:
    """Return a lab with builds that wait and run, an order of builds with a circle, and components not promoted."""
    waiting = [
        WaitingBuild(job=f"{track}-nova-build", since="2026-10-09T15:02:00.000Z", why="all agents are busy", stuck=False),
        WaitingBuild(job=f"{track}-swift-build", since="2026-10-09T14:00:00.000Z", why="no agent has the label arm64",
                     stuck=True),
    ]  # fmt: skip
    running = [RunningBuild(job=f"{track}-heat-build", number=1812, started="2026-10-09T16:10:00.000Z", agent="node-1")]
    needs: dict[str, tuple[str, ...]] = {
        "keystone": (), "placement": ("keystone",), "glance": ("keystone",), "nova": ("glance", "placement", "neutron"),
        "neutron": ("keystone", "nova"), "cinder": ("glance",),
    }  # fmt: skip
    relations = {name: {each: (f"python3-{each}",) for each in found} for name, found in needs.items()}
    waits = [
        ("nova", "27.0.0-3", "27.0.0-4", "neutron", "waits for neutron: its exercise failed in tempest", ("trunk/1", "trunk/2")),
        ("neutron", "", "19.0.0-1", "test", "its autopkgtest regressed: unit/test_agent", ("trunk/3",)),
        ("cinder", "5.0-1", "", "", "is to be removed, and nova needs it", ()),
    ]  # fmt: skip
    names = ("component", "before", "version", "waits_for", "reason", "runs")
    promotion = TrackPromotion(
        track=track, label=f"{track}-tested", state=f"{track}-1809", newest=f"{track}-1812", checked=ENDED,
        components=tuple(UnpromotedComponent(**dict(zip(names, one, strict=True))) for one in waits),
        open_state=f"{track}-1811", open_votes=("staging", "security"),
    )  # fmt: skip
    nothing = promotion.model_copy(
        update={"track": "trunk-noble", "label": "trunk-noble-tested", "components": (), "open_state": ""}
    )
    free = PublicMachine(
        name="rack1-node0", use="free", until="", reason="", restorations=20, failures=1, finished=ENDED, seconds=28.8,
        way="kexec", failed_at=ENDED, failed="rack1-node0: stopped after unpacked: I/O error, dev vda, sector 2048; tried 2 times",
    )  # fmt: skip
    none = {"restorations": 0, "failures": 0, "finished": "", "failed": ""}
    machines = (
        free,
        free.model_copy(update={"name": "rack1-node1", "use": "held", "until": ENDED, **none}),
        free.model_copy(update={"name": "rack1-node2", "use": "set aside", "until": ENDED, "reason": free.failed}),
    )
    graphs = {track: ComponentGraph(relations, {}, {})}
    return LabView(activity(ENDED, waiting, running), graphs, (promotion, nothing), machines)
