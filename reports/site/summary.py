"""The summary of a build in the site's state: enough for every page but the build's own, and small."""

from __future__ import annotations

import hashlib
from typing import Final

from lab.base.errors import Verdict
from lab.base.text import shortened
from lab.results import addresses
from lab.results.build_environment import BuildEnvironment
from lab.results.build_identity import build_id
from lab.results.history import Result, of_case
from reports.model import Build, Commit, FrozenModel
from reports.outcomes import BadTest, RunResults, results
from reports.site.lane_models import Ref

COMMITS: Final = 20
SLOWEST: Final = 5


class Summary(FrozenModel):
    """A build; ``environment`` and ``packages`` are digests: of its environment, and of its packages; "" for none."""

    id: str
    origin: str
    component: str
    track: str
    series: str
    phase: str
    number: int
    verdict: Verdict
    started: str
    finished: str
    seconds: float
    commit: str
    version: str
    since: str = ""
    rewritten: bool = False
    unlisted: int = 0
    step: str
    agent: str = ""
    chroot_days: float | None = None
    mirror_days: float | None = None
    message: str
    commits: tuple[Commit, ...]
    commit_count: int
    steps: tuple[tuple[str, Verdict, float], ...]
    environment: str = ""
    packages: str = ""
    results: RunResults
    slowest: tuple[tuple[str, float], ...]

    @property
    def path(self) -> str:
        return addresses.build_path(self.id)

    @property
    def result(self) -> Result:
        """What its verdict says about the track."""
        return self.results.of(self.verdict)

    @property
    def head(self) -> Commit | None:
        """The built commit, if it is among the commits of the build."""
        return next((commit for commit in self.commits if commit.id == self.commit), None)

    def with_marks(self, marks: tuple[BadTest, ...]) -> Summary:
        return self.model_copy(update={"results": self.results.model_copy(update={"marks": marks})})

    @property
    def ref(self) -> Ref:
        return Ref(
            id=self.id,
            path=self.path,
            phase=self.phase,
            number=self.number,
            verdict=self.verdict,
            started=self.started,
            finished=self.finished,
            seconds=self.seconds,
            commit=self.commit,
            commit_path=addresses.commit_path(self.component, self.commit) if self.commit else "",
            subject=self.head.subject if self.head else "",
            version=self.version,
            step=self.step,
            message=self.message,
        )


def summarise(build: Build) -> tuple[Summary, list[str]]:
    """Return a build's summary, and its roster: the names of the tests that ran."""
    found, roster = results(build)
    longest = sorted((case for case in build.tests if case.seconds >= 1), key=lambda case: (-case.seconds, case.id))
    summary = Summary(
        id=build_id(build.id),
        **{name: getattr(build, name) for name in _COPIED_FIELDS},
        message=shortened(build.message),
        commits=tuple(_commit(commit) for commit in _kept_commits(build)),
        commit_count=len(build.commits),
        steps=tuple((step.step, step.verdict, step.seconds) for step in build.steps),
        environment=environment_digest(build.environment) if build.environment else "",
        packages=environment_digest(made) if (made := packages(build)) else "",
        results=found,
        slowest=tuple((case.id, case.seconds) for case in longest if of_case(case) != "neither")[:SLOWEST],
    )
    return summary, roster


_COPIED_FIELDS = ("origin", "component", "track", "series", "phase", "number", "verdict", "started", "finished", "seconds",
          "commit", "version", "since", "rewritten", "unlisted", "step", "agent", "chroot_days", "mirror_days")  # fmt: skip


def packages(build: Build) -> BuildEnvironment | None:
    """Return the packages that a build made or installed, in the form in which the state stores versions."""
    return BuildEnvironment(packages=build.packages) if build.packages else None


def environment_digest(environment: BuildEnvironment) -> str:
    return hashlib.sha256(environment.model_dump_json().encode()).hexdigest()[:16]


def _kept_commits(build: Build) -> list[Commit]:
    """Return the commits to keep: the built commit first."""
    return sorted(build.commits, key=lambda commit: commit.id != build.commit)[:COMMITS]


def _commit(commit: Commit) -> Commit:
    return Commit(
        id=commit.id, subject=shortened(commit.subject, 120), author=shortened(commit.author, 80), merge=commit.merge
    )
