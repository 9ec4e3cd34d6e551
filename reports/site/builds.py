"""A build's own pages, made once from its bundle alone: the build, its logs, and its tests where they are many."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Final, Protocol

from lab.base.text import shortened
from lab.results import addresses
from lab.results.cases import Case
from reports.model import Build
from reports.site.api import BuildPage, CasePart, LogPart, StepPart
from reports.site.logs import Paged, paged
from reports.site.summary import Summary

DOWNLOAD: Final = "bundle.tar.gz"
EVIDENCE: Final = 14_000  # bytes of HTML that the evidence of all cases may take on the page
EVIDENCE_EACH: Final = 4_000
TAIL: Final = 4_000
MESSAGE: Final = 1_000
CASES: Final = 80  # named on the build's own page; the rest on pages of their own
CASES_A_PAGE: Final = 1_000


class BundleSource(Protocol):
    """What is needed of a bundle, see `reports.bundle`."""

    @property
    def build(self) -> Build: ...

    def open(self, name: str) -> IO[bytes]: ...


@dataclass(frozen=True)
class BuildPages:
    """A build's page, its logs, and the end of the log that tells why it failed: its text, and where it is."""

    page: BuildPage
    logs: Paged
    tail: str
    end: str
    has_bundle: bool

    @property
    def case_pages(self) -> list[tuple[CasePart, ...]]:
        """The tests, in pages, where the build's own page does not name them all."""
        cases = self.page.cases
        starts = range(0, len(cases), CASES_A_PAGE) if len(cases) > CASES else ()
        return [cases[start : start + CASES_A_PAGE] for start in starts]


def make(bundle: BundleSource, digest: str, summary: Summary, *, has_bundle: bool) -> BuildPages:
    """The pages of a build from its bundle, whose SHA-256 is ``digest``."""
    build = bundle.build
    logs = paged(build.logs, bundle.open)
    page = BuildPage(
        **{name: getattr(build, name) for name in _TAKEN},
        id=summary.id,
        path=summary.path,
        bundle=digest,
        download=f"{summary.path}{DOWNLOAD}" if has_bundle else "",
        commit_path=summary.ref.commit_path,
        lane_path=addresses.lane_path(build.component, build.track),
        message=build.message[:MESSAGE],
        counts=dict(sorted(Counter(case.outcome for case in build.cases).items())),
        commits=summary.commits,
        steps=tuple(
            StepPart(
                **{name: getattr(step, name) for name in ("step", "verdict", "seconds")},
                message=shortened(step.message),
                log_path=logs.starts.get(step.log, ""),
            )
            for step in build.steps
        ),
        cases=tuple(_cases(build, {mark.test for mark in summary.marks})),
        logs=tuple(_log_parts(build, logs.starts)),
        files=build.files[:50],
        notes=build.notes[:20],
    )
    log = next((step.log for step in build.steps if step.step == build.step), "")
    tail = fitting("\n".join(logs.tails.get(log, ())), TAIL, end=True)
    return BuildPages(page, logs, tail, logs.ends.get(log, ""), has_bundle)


_TAKEN = ("lab", "origin", "job", "number", "component", "track", "series", "architecture", "phase", "branch", "commit",
          "version", "verdict", "step", "started", "finished", "seconds")  # fmt: skip


def _cases(build: Build, marked: set[str]) -> Iterator[CasePart]:
    """The cases, those that failed first; evidence as long as there is room on the page."""
    room = EVIDENCE
    for case in sorted(build.cases, key=_rank):
        evidence = ""
        if case.outcome in {"failed", "error"}:
            evidence = fitting(case.evidence or case.errors or case.output, min(room, EVIDENCE_EACH))
            room -= _weight(evidence)
        yield CasePart(
            id=case.id,
            classname=case.classname,
            name=case.name,
            outcome=case.outcome,
            nuance=case.nuance,
            seconds=case.seconds,
            message=shortened(case.message),
            evidence=evidence,
            path=addresses.test_path(build.component, build.track, case.id) if case.id in marked else "",
        )


def _rank(case: Case) -> tuple[int, str]:
    order = {"failed": 0, "error": 0, "passed": 2 - (case.nuance == "flaky"), "skipped": 3}
    return order[case.outcome], case.id


def _log_parts(build: Build, starts: Mapping[str, str]) -> Iterator[LogPart]:
    for log in build.logs:
        yield LogPart(name=log.name, path=starts.get(log.name, ""), lines=log.lines, size=log.size, cut=log.cut)


def _weight(text: str) -> int:
    """The bytes that a text takes in a page."""
    return len(html.escape(text).encode("utf-8", "replace"))


def fitting(text: str, room: int, *, end: bool = False) -> str:
    """The beginning of a text, or its end, that takes no more than ``room`` bytes in a page; cut at a line if it can."""
    kept = text[-room:] if end else text[: max(room, 0)]
    while kept and _weight(kept) > room:
        kept = kept[len(kept) // 8 + 1 :] if end else kept[: -(len(kept) // 8 + 1)]
    if len(kept) == len(text):
        return text
    cut = kept.partition("\n")[2] if end else kept.rpartition("\n")[0]
    return cut or kept
