"""What a build of a Jenkins left, and what it tells: its records, or else what Jenkins knows of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lab.base.errors import ConfigurationError, Verdict
from lab.config.description import Lab
from lab.results.cases import Case, Outcome
from lab.store.records import rfc3339
from lab.store.run_directory import Run
from reports.journal import Found
from reports.model import Build, Commit, Log
from reports.sources import local

ORIGIN: Final = "jenkins"
LOST: Final = re.compile(
    r"(?i)agent (?:went|was|is) (?:offline|lost|marked offline)|ChannelClosed|Cannot contact |AgentOffline"
)
TAIL: Final = 65_536
OUTCOMES: Final[Mapping[str, Outcome]] = {"PASSED": "passed", "FIXED": "passed", "SKIPPED": "skipped"}
# What is said of every build later.
UNTOLD: Final[Mapping[str, Any]] = {
    "origin": "", "job": "", "number": 0, "started": "", "finished": "", "seconds": 0.0,
}  # fmt: skip
Report = Callable[[], Mapping[str, Any]]
"""Asks for the build's test report, as Jenkins' API has it."""


@dataclass(frozen=True)
class JobSubject:
    """What a job is about; a job of a whole track has no component of its own."""

    track: str
    component: str
    phase: str


@dataclass(frozen=True)
class JenkinsBuild:
    """What was fetched of a build: ``info`` of Jenkins' API, its results as a run directory, its console log."""

    lab: Lab
    lane: JobSubject
    info: Mapping[str, Any]
    run: Run
    console: Path

    def build(self, found: Found, report: Report) -> tuple[Build, Mapping[str, Path]]:
        """The build and the files that it names."""
        try:
            told, named = local.build(self.run, self.lab)
            contents = {name: path for name, path in named.items() if path.exists()}  # packages are not archived
        except ConfigurationError:  # no records, or none that can be read
            told, contents = self._without_records(report), {}
        started = datetime.fromtimestamp(found.started / 1000, UTC)
        seconds = self.info["duration"] / 1000
        log = Log(name="console.log", path="logs/console.log", size=self.console.stat().st_size, lines=0)
        changed = {
            "origin": ORIGIN,
            "job": found.job,
            "number": found.number,
            "started": rfc3339(started),
            "finished": rfc3339(datetime.fromtimestamp(found.started / 1000 + seconds, UTC)),
            "seconds": seconds,
            "verdict": _verdict(self.info["result"], told.verdict),
            "commits": told.commits or tuple(_changes(self.info)),
            "logs": (*told.logs, log),
            "parameters": {**_parameters(self.info), **told.parameters},
        }
        return told.model_copy(update=changed), {**contents, log.path: self.console}

    def _without_records(self, report: Report) -> Build:
        lane = self.lane
        parameters = _parameters(self.info)
        series = self.lab.tracks[lane.track].series
        cases = tuple(_cases(report()))
        lost = LOST.search(_tail(self.console))
        return Build(
            **UNTOLD,
            lab=self.lab.lab.name,
            track=lane.track,
            component=lane.component or parameters.get("COMPONENT") or lane.track,
            series=series,
            architecture=self.lab.series[series].architectures[0],
            phase=lane.phase,
            branch=self.lab.tracks[lane.track].branch,
            commit=parameters.get("COMMIT", ""),
            version=parameters.get("VERSION", ""),
            # What left neither records nor tests says nothing of what it was to test.
            verdict="failed" if cases and not lost else "error",
            message="its agent was lost" if lost else "" if cases else "it left no results",
            cases=cases,
        )


def _cases(report: Mapping[str, Any]) -> Iterator[Case]:
    for suite in report["suites"]:
        for case in suite["cases"]:
            outcome = OUTCOMES.get(case["status"], "failed")
            yield Case(
                suite=suite["name"] or "",
                classname=case["className"] or "",
                name=case["name"] or "",
                outcome=outcome,
                seconds=case["duration"] or 0.0,
                message=(case["skippedMessage"] if outcome == "skipped" else case["errorDetails"]) or "",
                evidence=case["errorStackTrace"] or "",
            )


def _verdict(result: str, told: Verdict) -> Verdict:
    """What Jenkins says of a build, and its records (or what is taken from its log and tests): these know more, unless
    something happened behind them.
    """
    match result:
        case "ABORTED":
            return "aborted"
        case "NOT_BUILT":
            return "skipped"
        case "FAILURE":
            return "error" if told in {"passed", "unstable", "skipped"} else told
        case "UNSTABLE" if told == "failed":
            return "unstable"  # the tests of a build without records
        case "SUCCESS" if told == "error":
            return "passed"
    return told


def _parameters(info: Mapping[str, Any]) -> dict[str, str]:
    """What a build was started with, and by what: BUILD_CAUSE."""
    found = {
        one["name"]: str(one["value"])
        for action in info["actions"]
        for one in action.get("parameters") or ()
        if one.get("value") is not None
    }
    causes = [one["shortDescription"] for action in info["actions"] for one in action.get("causes") or ()]
    return found | ({"BUILD_CAUSE": "; ".join(causes)} if causes else {})


def _changes(info: Mapping[str, Any]) -> Iterator[Commit]:
    for changes in (info.get("changeSet"), *(info.get("changeSets") or ())):
        for item in (changes or {}).get("items") or ():
            name, address = (item.get("author") or {}).get("fullName") or "", item.get("authorEmail") or ""
            author = f"{name} <{address}>" if address else name
            yield Commit(id=item.get("commitId") or "", subject=item.get("msg") or "", author=author)


def _tail(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        return stream.read().decode("utf-8", "replace")
