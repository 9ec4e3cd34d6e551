"""What the lab says of a head under review: a function of all results that are published of it.

A phase must be as new as the phase before it, so that after a `recheck` the results of the former round do not count: they
are pending.  Nothing here knows the forge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from lab.base.errors import Verdict
from lab.base.text import shortened
from lab.config.review_projects import Lane
from lab.forges.proposals import NO_VOTE, ProposalId, ReviewMessage, ReviewState
from reports.model import Build, ReviewedBuild
from reports.outcomes import failing

BAD: Final[frozenset[Verdict]] = frozenset({"failed", "unstable"})
MOST_TESTS: Final = 10
NO_TIPS: Final[Mapping[Lane, Build]] = MappingProxyType({})


@dataclass(frozen=True)
class LaneResult:
    """The result of a phase of a component on a track; without a build that counts, it is pending."""

    lane: Lane
    build: ReviewedBuild | None = None

    @property
    def verdict(self) -> Verdict | Literal["pending"]:
        return self.build.verdict if self.build else "pending"

    @property
    def title(self) -> str:
        component, track, phase = self.lane
        return f"{component} {phase} on {track}"


def results(lanes: Sequence[Sequence[Lane]], builds: Sequence[ReviewedBuild]) -> list[LaneResult]:
    """Return the result of each phase; ``lanes``: the phases of each component and track, in their order."""
    newest = {build.lane: build for build in sorted(builds, key=lambda build: build.started)}
    found: list[LaneResult] = []
    for phases in lanes:
        since = 0
        for lane in phases:
            build = newest.get(lane)
            current = build if build and build.started >= since else None
            found.append(LaneResult(lane, current))
            since = current.started if current else since
    return found


def state_of(found: Sequence[LaneResult]) -> ReviewState:
    """Return the state of a head: a bad result decides at once, a good one is the last of all."""
    verdicts = {result.verdict for result in found}
    if verdicts & BAD:
        return "failure"
    if "pending" in verdicts and verdicts <= {"pending", "passed"}:
        return "pending"
    return "success" if verdicts == {"passed"} else "error"


def message(  # noqa: PLR0913, PLR0917 - what a comment consists of
    one: ProposalId,
    found: Sequence[LaneResult],
    builds: Mapping[str, Build],
    link: Callable[[Build], str],
    withheld: str = "",
    tips: Mapping[Lane, Build] = NO_TIPS,
    scope: str = "",
) -> ReviewMessage:
    """Return the message about a head.

    ``builds``: by short name; ``withheld``: why its state is not shown; ``tips``: the last builds of the branch itself, by
    the lane of the head that each is compared with; ``scope``: of the state.
    """
    counted = [result for result in found if not _had_nothing_to_do(result, builds)]
    state = state_of(counted if any(result.verdict == "passed" for result in counted) else found)
    summary = _summary(state, found, len(found) - len(counted))
    lines = [f"{summary}{NO_VOTE}{withheld}." if withheld and state != "pending" else summary, ""]
    for result in found:
        build = builds.get(result.build.name) if result.build else None
        lines.append(f"* {result.title}: {_described(result, build, link)}")
        if result.verdict in BAD and (tip := tips.get(result.lane)):
            lines.append(f"  {one.branch} itself, on {tip.track}: {_described(result, tip, link)}")
    if tested := next((build for build in builds.values() if build.base), None):
        with_others = f", with {', '.join(map(str, tested.depends_on))}" if tested.depends_on else ""
        lines += ["", f"Tested: {one.head} merged onto {one.branch} at {tested.base}{with_others}."]
    details = [line for result in found for line in _details(result, builds, _failing_ids(tips.get(result.lane)))]
    first = next((result.build.name for result in found if result.verdict in BAD and result.build), "")
    address = link(builds[first]) if first in builds else ""
    text = "\n".join(lines)
    digest = hashlib.sha256("\n".join([text, *details]).encode()).hexdigest()[:12]
    mark, shown = f"{one.head[:12]} {digest}", None if withheld else state
    return ReviewMessage(one, shown, summary, text, mark, tuple(details), address, scope)


def _had_nothing_to_do(result: LaneResult, builds: Mapping[str, Build]) -> bool:
    """Return whether a phase ran and skipped all of its steps, such as the tests of a package without any."""
    build = builds.get(result.build.name) if result.build else None
    return bool(build and build.verdict == "skipped" and {step.verdict for step in build.steps} == {"skipped"})


def _summary(state: ReviewState, found: Sequence[LaneResult], idle: int) -> str:
    done = sum(result.verdict == "passed" for result in found)
    words: Mapping[ReviewState, str] = {
        "success": "Passed",
        "failure": "Failed",
        "pending": "In progress",
        "error": "The lab could not test it",
    }
    nothing = f", {idle} had nothing to do" if idle else ""
    return f"{words[state]}: {done} of {len(found)} phases passed{nothing}"


def _described(result: LaneResult, build: Build | None, link: Callable[[Build], str]) -> str:
    if build is None:
        return result.verdict
    at = f" at {build.step}" if build.step else ""
    verdict = {"error": "not tested (error)", "aborted": "not tested (aborted)"}.get(build.verdict, build.verdict)
    address = link(build)
    return f"{verdict}{at}{f', {address}' if address else ''}"


def _failing_ids(tip: Build | None) -> frozenset[str]:
    return frozenset(case.id for case in failing(tip.findings)) if tip else frozenset()


def _details(result: LaneResult, builds: Mapping[str, Build], known: frozenset[str]) -> Iterator[str]:
    """Yield what failed; ``known``: the identities of the tests that fail on the branch itself."""
    build = builds.get(result.build.name) if result.build else None
    if build is None or build.verdict == "passed":
        return
    if build.message:
        yield f"{result.title}: {shortened(build.message)}"
    bad = sorted(failing(build.findings), key=lambda case: case.id in known)
    for case in bad[:MOST_TESTS]:
        too = " (fails without the change too)" if case.id in known else ""
        yield f"{shortened(case.id, 240)}: {shortened(case.message or case.outcome, 160)}{too}"
    if len(bad) > MOST_TESTS:
        yield f"and {len(bad) - MOST_TESTS} more"
