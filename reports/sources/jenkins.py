"""A private Jenkins as a source of builds: the jobs of the lab, their finished builds, and all these left.

A pass asks for a hundred jobs in a request, and more only of jobs in which something is new.  What is fetched of a
build is its log, and of its artifacts ``run.json`` and ``results/``: with these it is read like a run of this
machine.  A build that left none (its agent was lost, it was aborted early) is told from what Jenkins knows of it.
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
from reports.journal import Found
from reports.model import Build
from reports.sources.jenkins_build import ORIGIN, JenkinsBuild, JobSubject
from reports.sources.source import Gone, Marks, Seen, Trouble

PAGE: Final = 100
MOST_IN_A_ROW: Final = 3  # jobs without an answer, after which none is asked for
MOST_FILES: Final = 1000
MOST_BYTES: Final = 500_000_000
MOST_OF_A_LOG: Final = 20_000_000_000
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

    def has(self, found: Found) -> bool:
        return found.origin == ORIGIN and found.job in self.lanes

    # What is new

    def look(self, marks: Marks) -> Iterator[Seen | Trouble]:
        failures = 0
        for told in self._jobs():
            try:
                with caught():
                    seen = self._look_at(told, marks)
            except Aborted:
                raise
            except LabError as error:
                failures += isinstance(error, InfrastructureError)
                if failures >= MOST_IN_A_ROW:
                    raise
                yield Trouble(_name(told), error)
            else:
                failures = 0
                if seen:
                    yield seen

    def _jobs(self) -> Iterator[Any]:
        """All jobs of the folder, each with the last build that ended."""
        for start in range(0, 10**9, PAGE):
            tree = f"jobs[name,description,lastCompletedBuild[number,timestamp]]{{{start},{start + PAGE}}}"
            page = self.connection.json(f"{job_path(self._folder)}api/json?tree={tree}")["jobs"]
            yield from page
            if len(page) < PAGE:
                return

    def _look_at(self, told: Mapping[str, Any], marks: Marks) -> Seen | None:
        """What is new of a job, None for nothing."""
        name = f"{self._folder}/{told['name']}".lstrip("/")
        last, mark = told.get("lastCompletedBuild"), marks.get(name, (0, 0))
        owner = of_description(told.get("description") or "")
        if not last or name not in self.lanes or owner is None or owner.lab != self.lab.lab.name:
            return None
        return self._new_builds(name, mark) if _is_new(last["number"], last["timestamp"], mark) else None

    def _new_builds(self, name: str, mark: tuple[int, int]) -> tuple[list[Found], Found | None]:
        """Builds behind the mark; the new mark is before the first that still runs."""
        new = list(self._behind(name, mark))
        new.reverse()
        found = [Found(ORIGIN, name, one["number"], one["timestamp"]) for one in new]
        ended = [one["result"] is not None and not one["building"] for one in new]
        known = ended.index(False) if False in ended else len(ended)
        done = [one for one, is_over in zip(found, ended, strict=True) if is_over]
        return done, Found(name, name, found[known - 1].number, found[known - 1].started) if known else None

    def _behind(self, name: str, mark: tuple[int, int]) -> Iterator[dict[str, Any]]:
        """Builds behind the mark, the newest first."""
        for start in range(0, 10**9, PAGE):
            tree = f"allBuilds[number,timestamp,building,result]{{{start},{start + PAGE}}}"
            page = self.connection.json(f"{job_path(name)}api/json?tree={tree}")["allBuilds"]
            for build in page:
                if not _is_new(build["number"], build["timestamp"], mark):
                    return
                yield build
            if len(page) < PAGE:
                return

    # What there is of a build

    def fetch(self, found: Found, spool: Path) -> tuple[Build, Mapping[str, Path]]:
        where = f"{job_path(found.job)}{found.number}/"
        info = self._info(where, found)
        run = Run(spool / "run")
        for name in _wanted(info):
            self._fetch_file(where, found, name, run.path / name)
        console = spool / "console.log"
        try:
            self._fetch_log(f"{where}logText/progressiveText", console)
        except JenkinsMissing:
            raise Gone("it was deleted while it was fetched") from None
        left = JenkinsBuild(self.lab, self.lanes[found.job], info, run, console)
        return left.build(found, lambda: self._report(where))

    def _report(self, where: str) -> dict[str, Any]:
        try:
            return self.connection.json(f"{where}testReport/api/json?tree={REPORT}")
        except JenkinsMissing:
            return {"suites": []}

    def _info(self, where: str, found: Found) -> dict[str, Any]:
        try:
            info = self.connection.json(f"{where}api/json?tree={TREE}")
        except JenkinsMissing:
            raise Gone("it was deleted before it was fetched") from None
        if info["timestamp"] != found.started:
            raise Gone("its job was made anew, and has another build of this number")
        return info

    def _fetch_file(self, where: str, found: Found, name: str, target: Path) -> None:
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}")
        path = "/".join(job_path(part).removeprefix("job/").rstrip("/") for part in name.split("/"))
        try:
            with temporary.open("wb") as stream:
                self.connection.download(f"{where}artifact/{path}", stream, MOST_BYTES)
        except JenkinsMissing:
            self._info(where, found)  # raises Gone, unless only this file is lost
        except JenkinsRefused:
            pass  # larger than any result of ours
        else:
            temporary.replace(target)
        temporary.unlink(missing_ok=True)

    def _fetch_log(self, where: str, target: Path) -> None:
        """Go on with the log where the last try ended; places in it are Jenkins' own, which hides parts of it."""
        state = target.with_name("console.json")
        at = json.loads(state.read_bytes()) if state.exists() else {"start": 0, "size": 0, "more": True}
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as stream:
            stream.truncate(at["size"])
            while at["more"]:
                headers = self.connection.download(f"{where}?start={at['start']}", stream, MOST_OF_A_LOG)
                start, before = int(headers.get("X-Text-Size", "0")), at["start"]
                stream.flush()
                os.fsync(stream.fileno())
                at = {"start": start, "size": stream.tell(), "more": "X-More-Data" in headers and start > before}
                files.write_atomic(state, json.dumps(at))


def _name(told: Any) -> str:
    return str(told.get("name", "a job")) if isinstance(told, dict) else "a job"


def _is_new(number: int, started: int, mark: tuple[int, int]) -> bool:
    """Whether a build is behind the mark; in a job that was made anew, its start tells."""
    return number > mark[0] or started > mark[1]


def _wanted(info: Mapping[str, Any]) -> list[str]:
    names = [artifact["relativePath"] for artifact in info["artifacts"]]
    return [name for name in names if WANTED.fullmatch(name) and not {".", ".."} & set(name.split("/"))][:MOST_FILES]
