"""Commit statuses on GitHub and GitLab: one for each track and phase, at the upstream commit that a build tested.

The address of a status is the page of its build: a build that has a status gets no second one, nor does a build that is
older than one with a status.  An error of the lab is the state ``error`` (GitLab: ``canceled``), not a failure of the
commit.  A retracted build's status cannot be deleted, only overwritten.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from lab.base import files
from lab.base.errors import Verdict
from lab.base.text import plural, shortened
from lab.config.forge_projects import ForgeProject, project_of
from lab.config.forges import CommitStatuses
from lab.forges.forge_api import CommitMissing, ForgeApi, NewStatus, State
from lab.results import addresses
from lab.results.history import of_case
from lab.store.run_directory import COMMIT
from reports.model import Build
from reports.outcomes import decisive, failing
from reports.outputs.delivery import (
    DeliveryOutcome,
    Output,
    OutputContext,
    PendingDelivery,
    Tombstone,
    to_one_of_many,
)
from reports.transitions import DAY_SECONDS, HistoryPoint

LONGEST: Final = 140  # GitHub refuses a longer description
STATES: Final[dict[Verdict, State]] = {
    "passed": "success", "failed": "failure", "unstable": "failure", "error": "error", "aborted": "error",
}  # fmt: skip


@dataclass(frozen=True)
class StatusOutput:
    """The commit statuses of a lab."""

    context: OutputContext
    apis: Mapping[CommitStatuses, ForgeApi]
    is_ordered: ClassVar[bool] = True
    is_news: ClassVar[bool] = True
    is_live: ClassVar[bool] = False

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]:
        lanes = {lane: self.context.history(*lane) for lane in {item.lane for item in items} if self._project(lane)}
        by_forge: defaultdict[CommitStatuses, list[PendingDelivery]] = defaultdict(list)
        for item in items:
            project = self._project(item.lane)
            if project is None:
                yield DeliveryOutcome(item.name, "nothing", "no forge has its upstream repository")
            elif self._is_history(lanes[item.lane], item, project):
                note = f"ended more than {plural(project.forge.history_days, 'day')} before it was published"
                yield DeliveryOutcome(item.name, "nothing", note)
            else:
                by_forge[project.forge].append(item)
        for forge, its_items in by_forge.items():
            yield from to_one_of_many(its_items, partial(self._deliver, self.apis[forge]))

    def _is_history(self, history: Sequence[HistoryPoint], item: PendingDelivery, project: ForgeProject) -> bool:
        """Return whether a build was published too late for a status, unless it replaces one of the same commit."""
        point = next((one for one in history if one.name == item.name), None)
        if point is None or point.delay <= project.forge.history_days * DAY_SECONDS:
            return False
        return not any(one.commit == point.commit and self._note(one.name).exists() for one in history)

    def _project(self, lane: tuple[str, str, str]) -> ForgeProject | None:
        component, track, _ = lane
        return project_of(self.context.lab, component, track)

    def _deliver(self, api: ForgeApi, item: PendingDelivery) -> DeliveryOutcome:
        build, project = item.read().build, self._project(item.lane)
        state = STATES.get(build.verdict)
        if project is None or not COMMIT.fullmatch(build.commit):
            return DeliveryOutcome(item.name, "nothing", "it ended before its commit was known")
        if state is None:
            return DeliveryOutcome(item.name, "nothing", f"{build.verdict}: says nothing about the commit")
        context = f"{project.context}/{build.phase}"
        posted = api.posted(project.path, build.commit, context)
        known = {_build_of(one.target_url) for one in posted}
        if item.name in known:
            return DeliveryOutcome(item.name, "delivered")
        if known and known & self.context.newer(item):
            return DeliveryOutcome(item.name, "nothing", "a newer build of this commit has a status already")
        if state == "error" and posted and posted[0].is_verdict:
            return DeliveryOutcome(
                item.name, "nothing", "an error of the lab does not replace the verdict on the commit"
            )
        self._remember(item.name, api, (project.path, build.commit, context))
        api.post(project.path, build.commit, NewStatus(context, state, describe(build), self.context.link(build)))
        return DeliveryOutcome(item.name, "delivered")

    # Retraction

    def _note(self, name: str) -> Path:
        return self.context.home / "statuses" / name

    def _remember(self, name: str, api: ForgeApi, place: tuple[str, str, str]) -> None:
        """Note where the status of a build is: nothing else knows after a retraction."""
        files.write_atomic(self._note(name), json.dumps([api.forge.home, *place]), 0o600)

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Overwrite the statuses of these builds that are the newest of their commits."""
        for tombstone in gone:
            note = self._note(tombstone.name)
            if not note.exists():
                continue
            home, *place = json.loads(note.read_bytes())
            project = self._project((tombstone.component, tombstone.track, tombstone.phase))
            if project and project.forge.home == home:  # lab.yaml still has the forge
                with suppress(CommitMissing):
                    self._overwrite(self.apis[project.forge], tombstone.name, place)
                note.unlink()

    @staticmethod
    def _overwrite(api: ForgeApi, name: str, place: Sequence[str]) -> None:
        project, commit, context = place
        newest = next(iter(api.posted(project, commit, context)), None)
        if newest and _build_of(newest.target_url) == name:
            api.post(project, commit, NewStatus(context, "error", "The lab withdrew this result.", ""))


def _build_of(url: str) -> str:
    """Return the short name of the build at the end of a page's address."""
    name = url.rstrip("/").rpartition("/")[2]
    return name if url.endswith(f"/{addresses.build_path(name)}") else ""


def describe(build: Build) -> str:
    """Return the result of a build in one short line."""
    tests = [case for case in decisive(build.tests) if of_case(case) != "neither"]
    bad = failing(tests)
    message = f": {build.message}" if build.message else ""
    if build.verdict in {"error", "aborted"}:
        at = f" at {build.step}" if build.step else ""
        text = f"The lab failed{at}, not the commit{message}"
    elif bad:
        text = f"{len(bad)} of {plural(len(tests), 'test')} failed: {bad[0].name}"
    elif build.verdict == "passed":
        text = f"Passed: {plural(len(tests), 'test')}" if tests else "Passed"
    else:
        text = f"{build.verdict.capitalize()} at {build.step or build.phase}{message}"
    return shortened(text, LONGEST)


def open_output(context: OutputContext) -> Output | None:
    statuses = context.lab.notifications.statuses
    if not statuses:
        return None
    key = f"{context.lab.file.name}: notifications.statuses"
    apis = {forge: ForgeApi(forge, f"{key}.{number}", context.clock.now) for number, forge in enumerate(statuses)}
    return StatusOutput(context, apis)
