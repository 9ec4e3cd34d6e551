"""A private Jenkins as a source of builds: the jobs of the lab, and their finished builds with logs and results.

A pass asks for a hundred jobs in each request, and asks further only about jobs with new builds.  It fetches the log
of a build and the artifacts ``run.json`` and ``results/``; with these, the build is read like a local run.  A build
without them (its agent was lost, it was aborted early) is read from the data of Jenkins.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from lab.base.errors import Aborted, ConfigurationError, InfrastructureError, LabError
from lab.base.failures import caught
from lab.config.agents import archive_job
from lab.config.description import COMPONENT_PHASES, Lab, job_name
from lab.config.jenkins import Connection, job_path
from lab.config.jenkins_failures import BadAnswer, JenkinsMissing
from lab.results.ownership_mark import of_description
from lab.store.archive_place import is_apart
from lab.store.run_directory import Run
from reports.activity import LabActivity, RunningBuild
from reports.journal_entries import SourceBuild
from reports.model import Build
from reports.sources import jenkins_activity
from reports.sources.jenkins_answers import (
    BuildInfo,
    LastBuild,
    ListedBuild,
    ListedBuilds,
    ListedJob,
    ListedJobs,
    answered,
)
from reports.sources.jenkins_build import ORIGIN, JenkinsBuild, JobSubject
from reports.sources.jenkins_files import BUILD_SECONDS, JenkinsBuildParts, wanted
from reports.sources.source import Gone, Marks, Seen, Trouble

PAGE: Final = 100
MOST_IN_A_ROW: Final = 3  # after so many jobs without an answer, the pass stops
MOST_PAGES: Final = 1000  # of jobs, of builds
ARCHIVED: Final = re.compile(r"results/[0-9]{2}-archive\.json")


@dataclass(frozen=True)
class JenkinsSource:
    """The jobs of a lab on its Jenkins."""

    lab: Lab
    connection: Connection
    _running: list[RunningBuild] = field(default_factory=list, repr=False, compare=False)
    """The builds that ran when `look` last saw their jobs."""

    @property
    def _folder(self) -> str:
        return (self.lab.jenkins.folder if self.lab.jenkins else None) or ""

    @cached_property
    def lanes(self) -> Mapping[str, JobSubject]:
        """The lab's jobs by their full names."""
        inside = f"{self._folder}/" if self._folder else ""
        return self._archive_lanes(inside) | {
            inside + job_name(track, component, phase): JobSubject(
                track, component if phase in COMPONENT_PHASES else "", phase
            )
            for track, described in self.lab.tracks.items()
            for phase in described.phases
            for component in self.lab.components_of(track)
        }

    def _archive_lanes(self, inside: str) -> dict[str, JobSubject]:
        """Return the jobs that complete builds on the machine of the archive; none where builds do that themselves."""
        tracks = self.lab.tracks if is_apart(self.lab) else ()
        return {
            inside + archive_job(track, component): JobSubject(track, component, "build")
            for track in tracks
            if "build" in self.lab.tracks[track].phases
            for component in self.lab.components_of(track)
        }

    def _continues_in(self, job: str, info: BuildInfo) -> str:
        """Return the job that completes a build which was handed over; "" for all other builds."""
        lane = self.lanes[job]
        complete = any(ARCHIVED.fullmatch(artifact.path) for artifact in info.artifacts)
        if lane.phase != "build" or not is_apart(self.lab) or complete or info.result not in {"SUCCESS", "UNSTABLE"}:
            return ""
        name = archive_job(lane.track, lane.component)
        return "" if job.rpartition("/")[2] == name else name

    def has(self, build: SourceBuild) -> bool:
        return build.origin == ORIGIN and build.job in self.lanes

    # New builds

    def look(self, marks: Marks) -> Iterator[Seen | Trouble]:
        failures = 0
        self._running.clear()
        for job in self._jobs():
            try:
                with caught():
                    seen = self._look_at(answered(ListedJob, job, _name(job)), marks)
            except Aborted:
                raise
            except LabError as error:
                failures += isinstance(error, InfrastructureError)
                if failures >= MOST_IN_A_ROW:
                    raise
                yield Trouble(_name(job), error)
            else:
                failures = 0
                if seen:
                    yield seen

    def _jobs(self) -> Iterator[Any]:
        """Yield all jobs of the folder, each with its last completed build."""
        where = f"{job_path(self._folder)}api/json"
        for start in range(0, MOST_PAGES * PAGE, PAGE):
            tree = f"jobs[name,description,lastCompletedBuild[number,timestamp],lastBuild[{jenkins_activity.NEWEST}]]{{{start},{start + PAGE}}}"
            page = answered(ListedJobs, self.connection.json(f"{where}?tree={tree}"), self._place(where)).jobs
            yield from page
            if len(page) < PAGE:
                return
        raise BadAnswer(f"{self._place(where)}: has no end")

    def _place(self, where: str) -> str:
        return f"{self.connection.url}{where}"

    def _look_at(self, job: ListedJob, marks: Marks) -> Seen | None:
        """Return the new builds of a job, None without new builds."""
        name = f"{self._folder}/{job.name}".lstrip("/")
        mark, owner = marks.get(name, (0, 0)), of_description(job.description)
        if name not in self.lanes:
            return None
        is_ours = owner is not None and owner.lab == self.lab.lab.name and not owner.is_copied(name)
        if is_ours:
            self._running.extend(jenkins_activity.running(name, job.newest))
        if not job.last:
            return None
        if owner and owner.is_copied(name):
            raise ConfigurationError(f"{name}: has builds, and is a copy of {owner.item}", hint="qalab jenkins apply")
        if not is_ours:
            hint = f"qalab jenkins adopt {shlex.quote(name)}, or generate and update the jobs again"
            raise ConfigurationError(f"{name}: has builds, and is not this lab's", hint=hint)
        return self._new_builds(name, mark) if _is_new(job.last, mark) else None

    def _new_builds(self, name: str, mark: tuple[int, int]) -> tuple[list[SourceBuild], SourceBuild | None]:
        """Return the finished builds after the mark, and the new mark, which is before the first running build."""
        new = list(self._builds_after(name, mark))
        new.reverse()
        builds = [SourceBuild(ORIGIN, name, info.number, info.timestamp) for info in new]
        ended = [info.is_over for info in new]
        known = ended.index(False) if False in ended else len(ended)
        done = [build for build, is_over in zip(builds, ended, strict=True) if is_over]
        return done, SourceBuild(name, name, builds[known - 1].number, builds[known - 1].started) if known else None

    def _builds_after(self, name: str, mark: tuple[int, int]) -> Iterator[ListedBuild]:
        """Yield the builds after the mark, newest first."""
        where = f"{job_path(name)}api/json"
        for start in range(0, MOST_PAGES * PAGE, PAGE):
            tree = f"allBuilds[number,timestamp,building,result]{{{start},{start + PAGE}}}"
            page = answered(ListedBuilds, self.connection.json(f"{where}?tree={tree}"), self._place(where)).builds
            for build in page:
                if not _is_new(build, mark):
                    return
                yield build
            if len(page) < PAGE:
                return
        raise BadAnswer(f"{self._place(where)}: has no end")

    def activity(self) -> LabActivity:
        """Return the lab's builds in the queue, and those that `look` saw running."""
        queue = self.connection.json(jenkins_activity.QUEUE)
        return jenkins_activity.activity(queue, f"{self.connection.url}queue", self.lanes, self._running)

    # The parts of a build

    def fetch(self, build: SourceBuild, spool: Path) -> tuple[Build, Mapping[str, Path]]:
        late = self.connection.clock.monotonic() + BUILD_SECONDS
        parts = JenkinsBuildParts(self.connection, build, lambda: self._is_listed(build), late)
        info = parts.info()
        if following := self._continues_in(build.job, info):
            raise Gone(f"its run continues in the job {following}")
        run, console = Run(spool / "run"), spool / "console.log"
        for name in wanted(info):
            parts.fetch_file(name, run.path / name)
        parts.fetch_log(console)
        jenkins_build = JenkinsBuild(self.lab, self.lanes[build.job], info, run, console)
        found, contents = jenkins_build.build(build, lambda: parts.report(info))
        _check_subject(self.lanes[build.job], found)
        return found, contents

    def _is_listed(self, build: SourceBuild) -> bool:
        """Return whether Jenkins lists a build.  Raises JenkinsMissing if it lists the job alone."""
        try:
            newer = list(self._builds_after(build.job, (build.number - 1, build.started - 1)))
        except JenkinsMissing:
            if self.connection.lists(build.job):
                raise
            return False
        return any((one.number, one.timestamp) == (build.number, build.started) for one in newer)


def _check_subject(lane: JobSubject, found: Build) -> None:
    """Raise Gone for a build of something else than its job: a person copied another job, and built with it."""
    of_job = JobSubject(lane.track, lane.component or found.component, lane.phase)
    of_build = JobSubject(found.track, found.component, found.phase)
    if of_build != of_job:
        names = " ".join(filter(None, (found.track, found.component, found.phase)))
        raise Gone(f"its records are of {names}: was its job copied from another one?")


def _name(job: Any) -> str:
    return str(job.get("name", "a job")) if isinstance(job, dict) else "a job"


def _is_new(build: LastBuild | ListedBuild, mark: tuple[int, int]) -> bool:
    """Return whether a build is after the mark; in a recreated job, the start decides."""
    return build.number > mark[0] or build.timestamp > mark[1]
