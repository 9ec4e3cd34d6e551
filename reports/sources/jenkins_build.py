"""A build of a Jenkins as a `Build`: from its records, or, without records, from the data of Jenkins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lab.base.errors import ConfigurationError, Verdict
from lab.base.schema import NewerSchemaError
from lab.config.description import Lab
from lab.forges.proposals import proposal_of, proposals_of
from lab.results.cases import Case, Outcome
from lab.store.records import rfc3339
from lab.store.run_directory import Run
from reports.journal_entries import SourceBuild
from reports.model import Build, Commit, Log
from reports.sources import local
from reports.sources.jenkins_answers import BuildInfo, TestReportAnswer, agent_name

ORIGIN: Final = "jenkins"
LOST: Final = re.compile(
    r"(?i)agent (?:went|was|is) (?:offline|lost|marked offline)|ChannelClosed|Cannot contact |AgentOffline"
)
TAIL: Final = 65_536
OUTCOMES: Final[Mapping[str, Outcome]] = {"PASSED": "passed", "FIXED": "passed", "SKIPPED": "skipped"}
# Fields that are set later for every build.
UNSET: Final[Mapping[str, Any]] = {
    "origin": "", "job": "", "number": 0, "started": "", "finished": "", "seconds": 0.0,
}  # fmt: skip
Report = Callable[[], TestReportAnswer]
"""Fetch the build's test report from Jenkins' API."""


@dataclass(frozen=True)
class JobSubject:
    """The subject of a job; the job of a whole track has no component."""

    track: str
    component: str
    phase: str


@dataclass(frozen=True)
class JenkinsBuild:
    """The fetched parts of a build: ``info`` of Jenkins' API, its results as a run directory, its console log."""

    lab: Lab
    lane: JobSubject
    info: BuildInfo
    run: Run
    console: Path

    def build(self, source: SourceBuild, report: Report) -> tuple[Build, Mapping[str, Path]]:
        """Return the build, and the files that it names."""
        try:
            build, named = local.build(self.run, self.lab)
            contents = {name: path for name, path in named.items() if path.exists()}  # packages are not archived
            verdict = _verdict(self.info.result, build.verdict)
        except NewerSchemaError:  # not judged without what a newer qalab knows of it
            raise
        except ConfigurationError:  # missing or unreadable records
            build, contents = self._without_records(report), {}
            verdict = build.verdict
        started = datetime.fromtimestamp(source.started / 1000, UTC)
        seconds = self.info.duration / 1000
        log = Log(name="console.log", path="logs/console.log", size=self.console.stat().st_size, lines=0)
        changed = {
            "origin": ORIGIN,
            "job": source.job,
            "number": source.number,
            "started": rfc3339(started),
            "finished": rfc3339(datetime.fromtimestamp(source.started / 1000 + seconds, UTC)),
            "seconds": seconds,
            "agent": agent_name(self.info.agent),
            "verdict": verdict,
            "commits": build.commits or tuple(_changes(self.info)),
            "logs": (*build.logs, log),
            "parameters": {**_parameters(self.info), **build.parameters},
        }
        return build.model_copy(update=changed), {**contents, log.path: self.console}

    def _without_records(self, report: Report) -> Build:
        lane = self.lane
        parameters = _parameters(self.info)
        series, proposal = self.lab.tracks[lane.track].series, proposal_of(parameters.get("PROPOSAL", ""))
        cases = tuple(_cases(report()))
        is_lost = bool(LOST.search(_tail(self.console)))
        verdict, message = _without_proof(self.info.result, cases, is_lost=is_lost)
        return Build(
            **UNSET,
            lab=self.lab.lab.name,
            track=lane.track,
            component=lane.component or parameters.get("COMPONENT") or lane.track,
            series=series,
            architecture=self.lab.series[series].architectures[0],
            phase=lane.phase,
            branch=self.lab.tracks[lane.track].branch,
            commit="" if proposal else parameters.get("COMMIT", ""),
            proposal=proposal,
            depends_on=proposals_of(parameters.get("DEPENDS_ON", "")) or (),
            version=parameters.get("VERSION", ""),
            verdict=verdict,
            message=message,
            cases=cases,
        )


def _cases(report: TestReportAnswer) -> Iterator[Case]:
    for suite in report.suites:
        for case in suite.cases:
            outcome = OUTCOMES.get(case.status, "failed")
            yield Case(
                suite=suite.name,
                classname=case.classname,
                name=case.name,
                outcome=outcome,
                seconds=case.duration,
                message=case.skipped if outcome == "skipped" else case.details,
                evidence=case.trace,
            )


def _verdict(result: str, recorded: Verdict) -> Verdict:
    """Return the verdict of a build with records: the recorded one, unless Jenkins has a worse result.

    Records are more precise than Jenkins' result, but something can fail after the last of them.
    """
    match result:
        case "ABORTED":
            return "aborted"
        case "NOT_BUILT" if recorded in {"passed", "unstable"}:
            return "skipped"
        case "FAILURE" if recorded in {"passed", "unstable", "skipped"}:
            return "error"
        case "UNSTABLE" if recorded in {"passed", "skipped"}:
            return "unstable"
    return recorded


def _without_proof(result: str, cases: Sequence[Case], *, is_lost: bool) -> tuple[Verdict, str]:
    """Return the verdict of a build without records, and a message; it is never passed.

    Each step leaves a record, so a success without records proves nothing about the tested software: its steps did not
    run, or their records are lost.
    """
    match result:
        case "ABORTED":
            return "aborted", "it has no results"
        case "NOT_BUILT":
            return "skipped", "it has no results"
        case "SUCCESS":
            bad = any(case.outcome == "failed" for case in cases)
            return "unstable" if bad else "error", "Jenkins calls it a success, but it has no readable records"
        case "UNSTABLE" if cases:
            return "unstable", ""
    if is_lost:
        return "error", "its agent was lost"
    return ("failed", "") if cases else ("error", "it has no results")


def _parameters(info: BuildInfo) -> dict[str, str]:
    """Return the parameters of a build, and its cause as BUILD_CAUSE."""
    named = [one for action in info.actions for one in action.parameters if one.value is not None]
    causes = [cause.text for action in info.actions for cause in action.causes if cause.text]
    parameters = {one.name: str(one.value) for one in named}
    return parameters | ({"BUILD_CAUSE": "; ".join(causes)} if causes else {})


def _changes(info: BuildInfo) -> Iterator[Commit]:
    for changes in filter(None, (info.change_set, *info.change_sets)):
        for item in changes.items:
            name = item.author.name if item.author else ""
            author = f"{name} <{item.address}>" if item.address else name
            yield Commit(id=item.commit, subject=item.subject, author=author)


def _tail(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        return stream.read().decode("utf-8", "replace")
