"""The comparison of two builds as data."""

from __future__ import annotations

from typing import Final, Literal

from lab.base.errors import Verdict
from lab.results.build_environment import EnvironmentChange
from reports.model import Commit, FrozenModel
from reports.site.lane_models import Ref, TestRef

SECONDS: Final = 10


class TestChange(FrozenModel):
    """A test whose result changed, and the message of its failure."""

    test: TestRef
    message: str


class StepChange(FrozenModel):
    """A step in both builds; None for a build without the step."""

    step: str
    before: Verdict | None
    after: Verdict | None
    seconds_before: float | None
    seconds_after: float | None

    @property
    def is_notable(self) -> bool:
        """Whether the verdict changed, or the duration by more than half and ten seconds."""
        before, after = self.seconds_before or 0, self.seconds_after or 0
        return self.before != self.after or abs(after - before) > max(SECONDS, min(before, after) / 2)


class Comparison(FrozenModel):
    """What changed from the build ``other`` to a later one; each list is followed by the number of all.

    ``outage``: most tests failed in one of the builds, so nothing is known about a single one.
    ``reasons``: why the commits can be others than those listed.
    ``versions`` are of the lab's packages, ``environment`` is the rest; without ``has_versions`` one of the builds has
    no packages to compare.
    """

    other: Ref
    titles: tuple[Literal["last good build", "previous build"], ...]
    outage: bool
    failed_before: int
    ran_before: int
    failed: int
    ran: int
    broke: tuple[TestChange, ...]
    broke_count: int
    fixed: tuple[TestChange, ...]
    fixed_count: int
    added_count: int
    removed_count: int
    commits: tuple[Commit, ...]
    commit_count: int
    reasons: tuple[EnvironmentChange, ...] = ()
    has_versions: bool
    versions: tuple[EnvironmentChange, ...]
    version_count: int
    environment: tuple[EnvironmentChange, ...]
    environment_count: int
    steps: tuple[StepChange, ...]


class ComparisonPage(FrozenModel):
    """A build compared with the last good one of its phase, and with the previous one."""

    kind: Literal["comparison"] = "comparison"
    component: str
    track: str
    path: str
    lane_path: str
    build: Ref
    comparisons: tuple[Comparison, ...]
    """One if the previous build is the last good one, none for the first build of a phase."""
