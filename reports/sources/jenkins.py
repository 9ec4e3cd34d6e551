"""A private Jenkins as a source of builds: the jobs of the lab, and their finished builds with logs and results.

A pass asks for a hundred jobs in each request, and asks further only about jobs with new builds.  It fetches the log
of a build and the artifacts ``run.json`` and ``results/``; with these, the build is read like a local run.  A build
without them (its agent was lost, it was aborted early) is read from the data of Jenkins.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from lab.base import files
from lab.base.errors import Aborted, InfrastructureError, LabError
from lab.base.failures import caught
from lab.config.description import Lab, job_name
from lab.config.jenkins import Connection, JenkinsMissing, JenkinsRefused, job_path
from lab.results.ownership_mark import of_description
from lab.store.run_directory import Run
from reports.journal_entries import SourceBuild
from reports.model import Build
from reports.sources.jenkins_build import ORIGIN, JenkinsBuild, JobSubject
from reports.sources.source import Gone, Marks, Seen, Trouble

PAGE: Final = 100
MOST_IN_A_ROW: Final = 3  # after so many jobs without an answer, the pass stops
MOST_FILES: Final = 1000
MOST_BYTES: Final = 500_000_000
MOST_LOG_BYTES: Final = 20_000_000_000
WANTED: Final = re.compile(r"run\.json|results(?:/[^/\x00-\x1f\\]+)+")
CHANGES: Final = "items[commitId,msg,authorEmail,author[fullName]]"
TREE: Final = (
    "timestamp,duration,result,artifacts[relativePath],actions[causes[shortDescription],parameters[name,value]],"
    f"changeSet[{CHANGES}],changeSets[{CHANGES}]"
)
REPORT: Final = "suites[name,cases[className,name,status,duration,errorDetails,errorStackTrace,skippedMessage]]"


@dataclass(frozen=True)
class JenkinsSource:
    """The jobs of a lab on its Jenkins."""

    lab: Lab
    connection: Connection

    @property
    def _folder(self) -> str:
        return (self.lab.jenkins.folder if self.lab.jenkins else None) or ""

    @cached_property
    def lanes(self) -> Mapping[str, JobSubject]:
        """The lab's jobs by their full names."""
        inside = f"{self._folder}/" if self._folder else ""
        return {
            inside + job_name(track, component, phase): JobSubject(track, component if phase == "build" else "", phase)
            for track, described in self.lab.tracks.items()
            for phase in described.phases
            for component in self.lab.components_of(track)
        }

    def has(self, build: SourceBuild) -> bool:
        return build.origin == ORIGIN and build.job in self.lanes

    # New builds

    def look(self, marks: Marks) -> Iterator[Seen | Trouble]:
        failures = 0
        for job in self._jobs():
            try:
                with caught():
                    seen = self._look_at(job, marks)
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
        for start in range(0, 10**9, PAGE):
            tree = f"jobs[name,description,lastCompletedBuild[number,timestamp]]{{{start},{start + PAGE}}}"
            page = self.connection.json(f"{job_path(self._folder)}api/json?tree={tree}")["jobs"]
            yield from page
            if len(page) < PAGE:
                return

    def _look_at(self, job: Mapping[str, Any], marks: Marks) -> Seen | None:
        """Return the new builds of a job, None without new builds."""
        name = f"{self._folder}/{job['name']}".lstrip("/")
        last, mark = job.get("lastCompletedBuild"), marks.get(name, (0, 0))
        owner = of_description(job.get("description") or "")
        if not last or name not in self.lanes or owner is None or owner.lab != self.lab.lab.name:
            return None
        return self._new_builds(name, mark) if _is_new(last["number"], last["timestamp"], mark) else None

    def _new_builds(self, name: str, mark: tuple[int, int]) -> tuple[list[SourceBuild], SourceBuild | None]:
        """Return the finished builds after the mark, and the new mark, which is before the first running build."""
        new = list(self._builds_after(name, mark))
        new.reverse()
        builds = [SourceBuild(ORIGIN, name, info["number"], info["timestamp"]) for info in new]
        ended = [info["result"] is not None and not info["building"] for info in new]
        known = ended.index(False) if False in ended else len(ended)
        done = [build for build, is_over in zip(builds, ended, strict=True) if is_over]
        return done, SourceBuild(name, name, builds[known - 1].number, builds[known - 1].started) if known else None

    def _builds_after(self, name: str, mark: tuple[int, int]) -> Iterator[dict[str, Any]]:
        """Yield the builds after the mark, newest first."""
        for start in range(0, 10**9, PAGE):
            tree = f"allBuilds[number,timestamp,building,result]{{{start},{start + PAGE}}}"
            page = self.connection.json(f"{job_path(name)}api/json?tree={tree}")["allBuilds"]
            for build in page:
                if not _is_new(build["number"], build["timestamp"], mark):
                    return
                yield build
            if len(page) < PAGE:
                return

    # The files of a build

    def fetch(self, build: SourceBuild, spool: Path) -> tuple[Build, Mapping[str, Path]]:
        where = f"{job_path(build.job)}{build.number}/"
        info = self._info(where, build)
        run = Run(spool / "run")
        for name in _wanted(info):
            self._fetch_file(where, build, name, run.path / name)
        console = spool / "console.log"
        try:
            self._fetch_log(f"{where}logText/progressiveText", console)
        except JenkinsMissing:
            raise Gone("it was deleted during the fetch") from None
        jenkins_build = JenkinsBuild(self.lab, self.lanes[build.job], info, run, console)
        return jenkins_build.build(build, lambda: self._report(where))

    def _report(self, where: str) -> dict[str, Any]:
        try:
            return self.connection.json(f"{where}testReport/api/json?tree={REPORT}")
        except JenkinsMissing:
            return {"suites": []}

    def _info(self, where: str, build: SourceBuild) -> dict[str, Any]:
        try:
            info = self.connection.json(f"{where}api/json?tree={TREE}")
        except JenkinsMissing:
            raise Gone("it was deleted before it was fetched") from None
        if info["timestamp"] != build.started:
            raise Gone("its job was recreated, and has another build with this number")
        return info

    def _fetch_file(self, where: str, build: SourceBuild, name: str, target: Path) -> None:
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}")
        path = "/".join(job_path(part).removeprefix("job/").rstrip("/") for part in name.split("/"))
        try:
            with temporary.open("wb") as stream:
                self.connection.download(f"{where}artifact/{path}", stream, MOST_BYTES)
        except JenkinsMissing:
            self._info(where, build)  # raises Gone, unless only this file is missing
        except JenkinsRefused:
            pass  # larger than any result of qalab
        else:
            temporary.replace(target)
        temporary.unlink(missing_ok=True)

    def _fetch_log(self, where: str, target: Path) -> None:
        """Continue the log at the end of the last try; the offsets are those of Jenkins, which hides parts of the log."""
        state = target.with_name("console.json")
        at = json.loads(state.read_bytes()) if state.exists() else {"start": 0, "size": 0, "more": True}
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as stream:
            stream.truncate(at["size"])
            while at["more"]:
                headers = self.connection.download(f"{where}?start={at['start']}", stream, MOST_LOG_BYTES)
                start, before = int(headers.get("X-Text-Size", "0")), at["start"]
                stream.flush()
                os.fsync(stream.fileno())
                at = {"start": start, "size": stream.tell(), "more": "X-More-Data" in headers and start > before}
                files.write_atomic(state, json.dumps(at))


def _name(job: Any) -> str:
    return str(job.get("name", "a job")) if isinstance(job, dict) else "a job"


def _is_new(number: int, started: int, mark: tuple[int, int]) -> bool:
    """Return whether a build is after the mark; in a recreated job, the start decides."""
    return number > mark[0] or started > mark[1]


def _wanted(info: Mapping[str, Any]) -> list[str]:
    names = [artifact["relativePath"] for artifact in info["artifacts"]]
    return [name for name in names if WANTED.fullmatch(name) and not {".", ".."} & set(name.split("/"))][:MOST_FILES]
