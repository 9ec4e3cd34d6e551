"""The start of a bisection: its range, and the environment of both ends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from lab.base import environment, files
from lab.base.errors import ConfigurationError, Failed
from lab.config.description import Lab
from lab.store import bisections
from lab.store.archive import ArchiveReader
from lab.store.archive_place import is_apart
from lab.store.bisections import Bisection, BisectionAxis, BisectionEnd, Sought, TestResult
from lab.store.records import rfc3339
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.bisection import axes
from scripts.upstream import packaging_branch

UNBUILT_STEPS = ("snapshot", "archive", "upload", "push")


@dataclass(frozen=True)
class BisectionRequest:
    """What to search: the ends as runs or as commits, the rates of failures, and results of earlier runs by commit."""

    track: str
    component: str
    sought: Sought
    good: str
    bad: str
    good_run: Run | None = None
    bad_run: Run | None = None
    fails_good: float = 0.0
    fails_bad: float = 1.0
    known: Mapping[str, TestResult] = field(default_factory=dict)
    by: str = ""


def begin(lab: Lab, asked: BisectionRequest, log: IO[str]) -> Bisection:
    """Write the record of a new bisection, and return it; or return the open one of the same.

    Raises ConfigurationError on a machine without the archive, and for ends that are not in a line.
    """
    if is_apart(lab):
        raise ConfigurationError("a bisection runs on a machine that has an archive of its own")
    if asked.sought.kind == "step" and asked.sought.name in UNBUILT_STEPS:
        raise ConfigurationError(f"the step {asked.sought.name} depends on more than the commit; it is not bisected")
    store = Store.of(lab)
    good, bad = (
        axes.resolved(lab, asked.track, asked.component, revision, log) for revision in (asked.good, asked.bad)
    )
    newest = ArchiveReader.at(store.archive).newest(asked.track)
    ends = (
        _end(good, asked.good_run, store),
        _end(bad, asked.bad_run, store, state=newest.name if newest else ""),
    )
    if not asked.bad_run:
        ends = ends[0], ends[1].model_copy(update={"packaging": _packaging_now(lab, asked, bad, log)})
    first = axes.upstream(lab, asked.track, asked.component, good, bad, log)
    points = {change.name: point for point, change in enumerate(first.changes, 1)}
    known = {points[commit]: result for commit, result in asked.known.items() if commit in points}
    with files.locked(store.lock_path("bisections")):
        if same := next((each for each in bisections.all_of(store) if _is_same(each, asked, good, bad)), None):
            return same
        number = max(bisections.numbers(store), default=0) + 1
        found = Bisection(
            number=number, track=asked.track, component=asked.component, sought=asked.sought, good=ends[0], bad=ends[1],
            fails_good=asked.fails_good, fails_bad=asked.fails_bad, started=rfc3339(environment.now()), by=asked.by,
            axes=(BisectionAxis(kind="upstream", changes=first.changes, known=known),),
        )  # fmt: skip
        found.write(bisections.path(store, number))
    return found


def _is_same(one: Bisection, asked: BisectionRequest, good: str, bad: str) -> bool:
    """Return whether an open bisection searches what is asked."""
    wanted = (asked.track, asked.component, asked.sought, good, bad)
    return one.outcome == "open" and wanted == (one.track, one.component, one.sought, one.good.commit, one.bad.commit)


def _packaging_now(lab: Lab, asked: BisectionRequest, commit: str, log: IO[str]) -> str:
    """Return today's commit of the packaging branch, which all probes are to have; "" where each commit has its own."""
    with suppress(Failed):  # the commit itself lacks its debian/
        head = packaging_branch.find(lab, asked.track, asked.component, log, commit).head
        return "" if head == commit else head
    return ""


def _end(commit: str, run: Run | None, store: Store, state: str = "") -> BisectionEnd:
    """Return an end; ``state``: the archive's state that is held, empty: the one that its run has made."""
    build = build_of(run, store) if run else None
    record = build.record("packaging") if build else None
    head = str(record.facts.get("head", "")) if record else ""
    return BisectionEnd(
        commit=commit,
        run=run.id if run else "",
        packaging=head if head != commit else "",
        state=state or (build.info.archive if build else ""),
        installed=axes.installed([build]) if build else {},
    )


def build_of(run: Run, store: Store) -> Run | None:
    """Return the build whose packages a run is about: itself, or the last build of its commit before it."""
    info = run.info
    if info.phase == "build":
        return run
    builds = [
        each
        for each in store.history(info.track, info.component)
        if each.info.phase == "build" and each.info.commit == info.commit and each.info.started <= info.started
    ]
    return builds[-1] if builds else None
