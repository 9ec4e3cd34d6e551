"""The parts of a finished build of a Jenkins: its data, its log, its records and its test report.

A 404 alone does not prove that something was deleted: a proxy answers so to names that it does not like, and a Jenkins
while it loads.  A build is gone only when Jenkins no longer lists it, and a file only when its build no longer names it.
What is listed and missing is an error, so the build is fetched again later: published without it, it could look better
than it was.

An answer of 200 alone does not prove the content either: something in front of Jenkins can answer with nothing.  An
empty file is asked for twice.  A record that cannot be read is asked for in several passes before it counts as damaged:
qalab writes each record as a whole, and a build without a record is published as an error for good.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.schema import NewerSchemaError
from lab.config.jenkins import Connection, job_path
from lab.config.jenkins_failures import BadAnswer, JenkinsLarge, JenkinsMissing, JenkinsSlow, listed_only, refuse_page
from lab.store.records import Record, RunInfo
from reports.journal_entries import SourceBuild
from reports.sources.jenkins_answers import BuildInfo, TestReportAnswer, answered
from reports.sources.source import Gone

MOST_FILES: Final = 1000
MOST_BYTES: Final = 500_000_000
MOST_LOG_BYTES: Final = 20_000_000_000
MOST_PAGES: Final = 1000  # of a log
BUILD_SECONDS: Final = 7200.0
BEGINNING: Final = 1 << 16
OFFSET: Final = re.compile(r"[0-9]{1,15}")
PAGES: Final = (".html", ".htm", ".xhtml", ".svg")
"""The ends of names of artifacts that Jenkins sends as pages."""
WANTED: Final = re.compile(r"run\.json|results(?:/[^/\x00-\x1f\\]+)+")
SIZE: Final = "X-Text-Size"
"""The header with the size of a log; missing for a log that was deleted, whose answer is empty."""
RECORD: Final = re.compile(r"run\.json|results/[0-9]{2}-[^/]+\.json")
DOUBTS: Final = 6
"""The tries after which an unreadable record counts as damaged: about half an hour, see `reports.journal_entries.pause`."""
LONGEST_PART: Final = 200  # bytes; file systems take 255, and a temporary name is longer
LONGEST_NAME: Final = 1000
CHANGES: Final = "items[commitId,msg,authorEmail,author[fullName]]"
TREE: Final = (
    "timestamp,duration,result,builtOn,artifacts[relativePath],"
    f"actions[urlName,causes[shortDescription],parameters[name,value]],changeSet[{CHANGES}],changeSets[{CHANGES}]"
)
REPORT: Final = "suites[name,cases[className,name,status,duration,errorDetails,errorStackTrace,skippedMessage]]"


@dataclass(frozen=True)
class JenkinsBuildParts:
    """The parts of a build; ``is_listed``: whether Jenkins still lists the build; ``late``: when the fetch has taken BUILD_SECONDS."""

    connection: Connection
    build: SourceBuild
    is_listed: Callable[[], bool]
    late: float

    @property
    def where(self) -> str:
        return f"{job_path(self.build.job)}{self.build.number}/"

    @property
    def place(self) -> str:
        return f"{self.connection.url}{self.where}"

    def info(self) -> BuildInfo:
        """Return the data of the build.  Raises Gone if it was deleted."""
        try:
            asked = self.connection.json(f"{self.where}api/json?tree={TREE}")
        except JenkinsMissing:
            raise self._missing("data", "it was deleted before it was fetched") from None
        info = answered(BuildInfo, asked, f"{self.place}api/json")
        if info.timestamp != self.build.started:
            raise Gone("its job was recreated, and has another build with this number")
        return info

    def report(self, info: BuildInfo) -> TestReportAnswer:
        """Return the test report of the build, an empty one for a build without."""
        place = f"{self.where}testReport/api/json"
        try:
            asked = self.connection.json(f"{place}?tree={REPORT}")
        except JenkinsMissing:
            if any(action.url == "testReport" for action in info.actions):
                raise self._missing("test report", "it was deleted during the fetch") from None
            return TestReportAnswer(suites=())
        return answered(TestReportAnswer, asked, f"{self.connection.url}{place}")

    def fetch_file(self, name: str, target: Path) -> None:
        """Fetch an artifact, unless it was fetched before, or is larger than any result of qalab."""
        if target.exists():
            return
        self._check_time()
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}")
        found = self._download(name, temporary)
        if found and not temporary.stat().st_size:
            found = self._download(name, temporary)
        if found and RECORD.fullmatch(name):
            self._check_readable(name, temporary)
        if found:
            temporary.replace(target)
        else:
            temporary.unlink()

    def _download(self, name: str, temporary: Path) -> bool:
        """Fetch an artifact; return whether the build has it, and it is not too large."""
        path = "/".join(job_path(part).removeprefix("job/").rstrip("/") for part in name.split("/"))
        try:
            with temporary.open("wb") as stream:
                headers = self.connection.download(f"{self.where}artifact/{path}", stream, MOST_BYTES)
            if not name.endswith(PAGES):
                refuse_page(self.connection.url, "GET", f"{self.where}artifact/{path}", headers, _beginning(temporary))
        except JenkinsMissing:
            if name in wanted(self.info()):
                raise listed_only(self.connection.url, f"artifact {name} of {self.build}", "content") from None
            return False
        except JenkinsLarge:
            return False
        return True

    def _check_readable(self, name: str, path: Path) -> None:
        """Raise InfrastructureError for a record that cannot be read, until it was asked for `DOUBTS` times."""
        try:
            (RunInfo if name == "run.json" else Record).read(path)
        except NewerSchemaError:
            return
        except ConfigurationError:
            doubts = path.with_name(f"{path.name}.doubts")
            before = doubts.stat().st_size if doubts.exists() else 0
            if before + 1 >= DOUBTS:
                return
            with doubts.open("ab") as stream:
                stream.write(b".")
            hint = "does something in front of Jenkins answer for it? it is asked again"
            message = f"{self.connection.url}: artifact {name} of {self.build}: is no record"
            raise InfrastructureError(message, hint=hint) from None

    def fetch_log(self, target: Path) -> None:
        """Continue the log at the end of the last try; the offsets are those of Jenkins, which hides parts of the log."""
        path, state = f"{self.where}logText/progressiveText", target.with_name("console.json")
        at = json.loads(state.read_bytes()) if state.exists() else {"start": 0, "size": 0, "more": True}
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as stream:
            stream.truncate(at["size"])
            for _ in range(MOST_PAGES):
                if not at["more"]:
                    return
                self._check_time()
                most = MOST_LOG_BYTES - at["size"]
                try:
                    headers = self.connection.download(f"{path}?start={at['start']}", stream, most)
                    if SIZE not in headers and stream.tell() == at["size"]:
                        headers = self.connection.download(f"{path}?start={at['start']}", stream, most)
                    stream.flush()
                    refuse_page(self.connection.url, "GET", path, headers, _beginning(target, at["size"]))
                except JenkinsMissing:
                    raise self._missing("log", "it was deleted during the fetch") from None
                is_empty = stream.tell() == at["size"] == 0
                start, before = _offset(headers, f"{self.connection.url}{path}", is_empty=is_empty), at["start"]
                os.fsync(stream.fileno())
                at = {"start": start, "size": stream.tell(), "more": "X-More-Data" in headers and start > before}
                files.write_atomic(state, json.dumps(at))
        raise BadAnswer(f"{self.connection.url}{path}: has no end")

    def _missing(self, part: str, deleted: str) -> InfrastructureError:
        """Return the error for a part that was answered with 404."""
        if self.is_listed():
            return listed_only(self.connection.url, f"build {self.build}", part)
        return Gone(deleted)

    def _check_time(self) -> None:
        if self.connection.clock.monotonic() > self.late:
            raise JenkinsSlow(f"{self.place}: takes longer than {BUILD_SECONDS:g} seconds")


def wanted(info: BuildInfo) -> list[str]:
    """Return the names of the files to fetch, records first, without one that another name takes for a directory.

    A name that no file system takes, or that is no text, is none of a record.
    """
    names = [artifact.path for artifact in info.artifacts if WANTED.fullmatch(artifact.path) and _fits(artifact.path)]
    directories = {above for name in names for above in accumulate(name.split("/")[:-1], "{}/{}".format)}
    plain = [name for name in names if not {".", ".."} & set(name.split("/")) and name not in directories]
    return sorted(plain, key=lambda name: name.count("/"))[:MOST_FILES]


def _fits(name: str) -> bool:
    lengths = [len(part.encode()) for part in name.split("/")]
    return "\ufffd" not in name and max(lengths) <= LONGEST_PART and sum(lengths) + len(lengths) <= LONGEST_NAME


def _beginning(path: Path, start: int = 0) -> bytes:
    with path.open("rb") as stream:
        stream.seek(start)
        return stream.read(BEGINNING)


def _offset(headers: Mapping[str, str], place: str, *, is_empty: bool) -> int:
    """Return the offset of what follows in a log; 0 for a log that was deleted.  Raises BadAnswer for none."""
    text = headers.get(SIZE, "0" if is_empty else "")
    if not OFFSET.fullmatch(text):
        raise BadAnswer(f"{place}: {SIZE}: {text[:40]!r} is not a number")
    return int(text)
