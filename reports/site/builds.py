"""The permanent pages of a build: the build, its logs, and its tests if they are many; they depend on its bundle alone."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, Protocol

from lab.base.text import shortened
from lab.results import addresses
from lab.results.cases import Case
from reports.model import Build
from reports.outcomes import decisive
from reports.site.build_models import BuildPage, CasePart, LogPart, StepPart
from reports.site.logs import LogView, log_view, text_file
from reports.site.summary import Summary

DOWNLOAD: Final = "bundle.tar.gz"
EVIDENCE: Final = 14_000  # bytes of HTML for the evidence of all cases on the page
EVIDENCE_EACH: Final = 4_000
TAIL: Final = 4_000
MESSAGE: Final = 1_000
CASES: Final = 80  # on the build's page; all of more on pages of their own
FILES: Final = 50
NOTES: Final = 20
CASES_A_PAGE: Final = 1_000


class BundleSource(Protocol):
    """The parts of a bundle that pages need, see `reports.bundle`."""

    @property
    def build(self) -> Build: ...

    def open(self, name: str) -> IO[bytes]: ...


@dataclass(frozen=True)
class BuildPages:
    """The page of a build and its logs; ``log`` is that of the failed step, None for a build without one.

    ``passed`` are the names of the results about which there is nothing else to say.  ``texts`` are the files of the
    logs that the page of logs does not show as a whole.
    """

    page: BuildPage
    passed: tuple[str, ...]
    logs: tuple[LogView, ...]
    log: LogView | None
    tail: str
    texts: dict[str, bytes]
    has_bundle: bool

    @property
    def case_pages(self) -> list[tuple[tuple[CasePart, ...], tuple[str, ...]]]:
        """The results in pages, those that only passed as names, if they are too many for the build's page."""
        cases, passed = self.page.cases, self.passed
        count = len(cases) + len(passed)
        if count <= CASES:
            return []
        split = len(cases)
        return [
            (cases[start : start + CASES_A_PAGE], passed[max(start - split, 0) : max(start + CASES_A_PAGE - split, 0)])
            for start in range(0, count, CASES_A_PAGE)
        ]


def make(bundle: BundleSource, digest: str, summary: Summary, *, has_bundle: bool) -> BuildPages:
    """Make the pages of a build from its bundle with the SHA-256 ``digest``."""
    build = bundle.build
    logs = _log_views(bundle)
    starts = {log.name: log.start for log in logs}
    passed = tuple(sorted(case.id for case in build.findings if _only_passed(case)))
    page = BuildPage(
        **{name: getattr(build, name) for name in _COPIED_FIELDS},
        id=summary.id,
        path=summary.path,
        bundle=digest,
        download=f"{summary.path}{DOWNLOAD}" if has_bundle else "",
        commit_path=summary.ref.commit_path,
        lane_path=addresses.lane_path(build.component, build.track),
        comparison_path=addresses.comparison_path(summary.id),
        message=build.message[:MESSAGE],
        counts=dict(sorted(Counter(case.outcome for case in decisive(build.tests)).items())),
        older=build.older,
        outage=summary.results.outage,
        packages=dict(sorted(build.packages.items())),
        commits=summary.commits,
        commit_count=summary.commit_count,
        steps=tuple(
            StepPart(
                **{name: getattr(step, name) for name in ("step", "verdict", "seconds")},
                message=shortened(step.message),
                log_path=starts.get(step.log, ""),
            )
            for step in build.steps
        ),
        cases=tuple(_cases(build, {mark.test for mark in summary.results.marks})),
        passed_count=len(passed),
        logs=tuple(
            LogPart(name=log.name, path=starts[log.name], lines=log.lines, size=log.size, cut=log.cut)
            for log in build.logs
        ),
        files=build.files[:FILES],
        file_count=len(build.files),
        notes=build.notes[:NOTES],
        note_count=len(build.notes),
    )
    name = next((step.log for step in build.steps if step.step == build.step), "")
    log = next((log for log in logs if log.name == name), None)
    tail = fitting("\n".join(log.tail), TAIL, end=True) if log else ""
    return BuildPages(page, passed, logs, log, tail, _texts(bundle, logs), has_bundle)


def _log_views(bundle: BundleSource) -> tuple[LogView, ...]:
    """Return the views of all logs, with the places of the messages of their steps."""
    messages = {step.log: step.message for step in bundle.build.steps if step.verdict not in {"passed", "skipped"}}
    views = []
    for log in bundle.build.logs:
        with bundle.open(log.path) as stream:
            views.append(log_view(log, stream, messages.get(log.name, "")))
    return tuple(views)


def _texts(bundle: BundleSource, logs: tuple[LogView, ...]) -> dict[str, bytes]:
    """Return the files of the logs that have one."""
    texts = {}
    for log, view in zip(bundle.build.logs, logs, strict=True):
        if view.file:
            with bundle.open(log.path) as stream:
                texts[view.file] = text_file(stream)
    return texts


_COPIED_FIELDS = ("lab", "proposal", "origin", "job", "number", "component", "track", "series", "architecture", "phase", "branch", "commit",
          "version", "verdict", "step", "started", "finished", "seconds", "archive")  # fmt: skip


def _cases(build: Build, marked: set[str]) -> Iterator[CasePart]:
    """Yield the cases that did not only pass, failures first; evidence until the room on the page is used up."""
    room = EVIDENCE
    for case in sorted((case for case in build.findings if not _only_passed(case)), key=_rank):
        evidence = ""
        if case.outcome in {"failed", "error"}:
            evidence = shortened_evidence(case.evidence or case.errors or case.output, min(room, EVIDENCE_EACH))
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


def _only_passed(case: Case) -> bool:
    return case.outcome == "passed" and not case.nuance


def _rank(case: Case) -> tuple[int, str]:
    order = {"failed": 0, "error": 0, "passed": 2 - (case.nuance == "flaky"), "skipped": 3}
    return order[case.outcome], case.id


def _weight(text: str) -> int:
    """Return the size of a text in a page, in bytes."""
    return len(html.escape(text).encode("utf-8", "replace"))


def shortened_evidence(text: str, room: int) -> str:
    """Return evidence in at most ``room`` bytes of a page: its beginning and, longer, its end, where the exception is."""
    if _weight(text) <= room:
        return text
    mark = "[… {:,} {} left out …]"
    begin = fitting(text, room // 4)
    end = fitting(text[len(begin) :], room - room // 4 - 2 * len(mark), end=True)
    if not begin or not end:
        return ""
    left_out = text[len(begin) : len(text) - len(end)]
    lines = left_out.count("\n")
    return f"{begin}\n{mark.format(lines, 'lines') if lines else mark.format(len(left_out), 'characters')}\n{end}"


def fitting(text: str, room: int, *, end: bool = False) -> str:
    """Return the beginning of a text, or its end, in at most ``room`` bytes of a page; cut between lines if possible."""
    kept = text[-room:] if end else text[: max(room, 0)]
    while kept and _weight(kept) > room:
        kept = kept[len(kept) // 8 + 1 :] if end else kept[: -(len(kept) // 8 + 1)]
    if len(kept) == len(text):
        return text
    cut = kept.partition("\n")[2] if end else kept.rpartition("\n")[0]
    return cut or kept
