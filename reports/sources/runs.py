"""The runs of the local store as a source of builds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import Aborted, ConfigurationError, LabError
from lab.base.failures import caught
from lab.config.description import Lab
from lab.store.records import Cause
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports.journal_entries import SourceBuild
from reports.model import Build, started_ms
from reports.sources import local
from reports.sources.source import Gone, Marks, Seen, Trouble

# The runs of a promotion test parts of what is new, one after the other: in the history of a track, each test that
# only some of them fail would be flaky.  The pages of promotions have their results.
PRIVATE_CAUSES: frozenset[Cause] = frozenset({"promotion", "bisection"})
JOB_SLASHES = "TRACK/COMPONENT/PHASE".count("/")


@dataclass(frozen=True)
class Runs:
    """The runs of a lab.  An interrupted run can be resumed; it is a build once a later run exists."""

    lab: Lab
    knows: Callable[[str], bool]
    """Return whether a build with this identity is known."""

    def look(self, marks: Marks) -> Iterator[Seen | Trouble]:  # noqa: ARG002 - all runs are local
        lanes: defaultdict[str, list[Run]] = defaultdict(list)
        for run in Store.of(self.lab).runs():
            if run.info.cause not in PRIVATE_CAUSES:
                lanes[_job(run)].append(run)
        for runs in lanes.values():
            for run in runs:
                try:
                    with caught():
                        new = [_source_build(run)] if self._is_new(run, runs[-1]) else []
                except Aborted:
                    raise
                except LabError as error:
                    yield Trouble(run.id, error)
                else:
                    yield new, None

    def _is_new(self, run: Run, last: Run) -> bool:
        return not self.knows(_source_build(run).source) and _is_over(run, last)

    def activity(self) -> None:
        """Nobody queues runs on this machine."""

    def has(self, build: SourceBuild) -> bool:
        return build.job.count("/") == JOB_SLASHES and build.job.partition("/")[0] in self.lab.tracks

    def fetch(self, build: SourceBuild, spool: Path) -> tuple[Build, Mapping[str, Path]]:  # noqa: ARG002 - all files are local
        try:
            return local.build(Run(self._path(build).parent), self.lab)
        except ConfigurationError:
            if not self._path(build).exists():
                raise Gone("the run was removed") from None
            raise

    def _path(self, build: SourceBuild) -> Path:
        track, _, component = build.job.rpartition("/")[0].partition("/")
        return Store.of(self.lab).root / "runs" / track / component / str(build.number) / "run.json"


def _is_over(run: Run, last: Run) -> bool:
    standing = run.standing()
    verdict = standing.verdict
    return verdict != "running" and bool(standing.records) and (verdict != "aborted" or run != last)


def _job(run: Run) -> str:
    info = run.info
    return f"{info.track}/{info.component}/{info.phase}"


def _source_build(run: Run) -> SourceBuild:
    info = run.info
    local.moment(run, info.started)
    return SourceBuild(info.origin, _job(run), info.number, started_ms(info.started))
