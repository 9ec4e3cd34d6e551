"""The summary of a build in the site's state: enough for every page but the build's own, and small."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Final

from lab.base.errors import Verdict
from lab.base.text import shortened
from lab.results import addresses
from lab.results.build_environment import BuildEnvironment
from lab.results.build_identity import build_id
from lab.results.cases import Case, Nuance
from lab.results.history import Result, of_case
from reports.model import Build, Commit, FrozenModel
from reports.site.lane_models import Ref

COMMITS: Final = 20
SLOWEST: Final = 5


class BadTest(FrozenModel):
    """A test that failed, or passed only when it was retried (``flaky``)."""

    test: str
    result: Result
    flaky: bool = False
    message: str = ""


class Summary(FrozenModel):
    """A build.

    ``roster`` is the digest of the names of the tests that ran; all tests without a mark passed.  ``environment`` is
    the digest of its environment, "" if that is not known.
    """

    id: str
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
    step: str
    message: str
    commits: tuple[Commit, ...]
    commit_count: int
    steps: tuple[tuple[str, Verdict, float], ...]
    roster: str
    environment: str = ""
    marks: tuple[BadTest, ...]
    slowest: tuple[tuple[str, float], ...]

    @property
    def path(self) -> str:
        return addresses.build_path(self.id)

    @property
    def head(self) -> Commit | None:
        """The built commit, if it is among the commits of the build."""
        return next((commit for commit in self.commits if commit.id == self.commit), None)

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
    ran = [case for case in build.cases if of_case(case) != "neither"]
    roster = sorted({case.id for case in ran})
    longest = sorted(ran, key=lambda case: (-case.seconds, case.id))[:SLOWEST]
    summary = Summary(
        id=build_id(build.id),
        **{name: getattr(build, name) for name in _COPIED_FIELDS},
        message=shortened(build.message),
        commits=tuple(_commit(commit) for commit in _kept_commits(build)),
        commit_count=len(build.commits),
        steps=tuple((step.step, step.verdict, step.seconds) for step in build.steps),
        roster=digest(roster),
        environment=environment_digest(build.environment) if build.environment else "",
        marks=tuple(sorted(_marks(ran), key=lambda mark: mark.test)),
        slowest=tuple((case.id, case.seconds) for case in longest if case.seconds >= 1),
    )
    return summary, roster


_COPIED_FIELDS = ("component", "track", "series", "phase", "number", "verdict", "started", "finished", "seconds",
          "commit", "version", "step")  # fmt: skip


def digest(roster: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(roster)).encode()).hexdigest()[:16]


def environment_digest(environment: BuildEnvironment) -> str:
    return hashlib.sha256(environment.model_dump_json().encode()).hexdigest()[:16]


def _kept_commits(build: Build) -> list[Commit]:
    """Return the commits to keep: the built commit first."""
    return sorted(build.commits, key=lambda commit: commit.id != build.commit)[:COMMITS]


def _commit(commit: Commit) -> Commit:
    return Commit(id=commit.id, subject=shortened(commit.subject, 120), author=shortened(commit.author, 80))


def _marks(ran: Iterable[Case]) -> Iterator[BadTest]:
    tries: dict[str, list[Case]] = {}
    for case in ran:
        tries.setdefault(case.id, []).append(case)
    again: set[Nuance] = {"flaky", "rerun"}
    for test, cases in tries.items():
        # An earlier try does not decide, unless it is the only one.
        final = [case for case in cases if case.nuance != "rerun"] or cases
        bad = [case for case in final if of_case(case) == "bad"]
        flaky = not bad and any(case.nuance in again for case in cases)
        if bad or flaky:
            yield BadTest(
                test=test,
                result="bad" if bad else "good",
                flaky=flaky,
                message=shortened((bad or cases)[0].message or (bad or cases)[0].evidence, 160),
            )
