"""Changes under review: the state of each head, and a comment, on the forges that lab.yaml names in ``reviews``.

Both are computed when they are sent, from all published results of the head (see `reports.outputs.review_report`), so
that the order of arrival does not matter.  A delivery is done when the server shows the message.  The lab votes on the
present head of an open proposal that is no draft, and only comments on others.  Nothing is sent about a private one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from lab.base.errors import Refused
from lab.config.review_projects import (
    Lane,
    ReviewedProject,
    is_one_of_several,
    lanes_of,
    lanes_of_branch,
    server_of,
)
from lab.forges.proposals import Forge, Proposal, ProposalClosed, ProposalId, ReviewMessage, mark_of
from lab.forges.registry import open_forge
from reports.model import Build
from reports.outputs import review_report
from reports.outputs.delivery import (
    DeliveryOutcome,
    Output,
    OutputContext,
    PendingDelivery,
    Tombstone,
    to_one_of_many,
)


@dataclass(frozen=True)
class ReviewsOutput:
    """The proposals that a lab tests; ``forges``: by their names in lab.yaml."""

    context: OutputContext
    forges: Mapping[str, Forge]
    is_ordered: ClassVar[bool] = False  # a message is a function of all results
    is_news: ClassVar[bool] = True
    is_live: ClassVar[bool] = False

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]:
        by_forge: defaultdict[str, list[PendingDelivery]] = defaultdict(list)
        for item in items:
            track = self.context.lab.tracks.get(item.lane[1])
            if track is None or track.trigger != "review":
                yield DeliveryOutcome(item.name, "nothing", "not of a change under review")
            else:
                by_forge[server_of(self.context.lab, item.lane[1])[0]].append(item)
        for forge, its_items in by_forge.items():
            yield from to_one_of_many(its_items, partial(self._deliver, self.forges[forge]))

    def _deliver(self, forge: Forge, item: PendingDelivery) -> DeliveryOutcome:
        build = item.read().build
        if build.proposal is None:
            return DeliveryOutcome(item.name, "nothing", "its run names no change")
        return self._tell(forge, build.proposal, item.name, is_aborted=build.verdict == "aborted")

    def _tell(
        self, forge: Forge, one: ProposalId, name: str, *, is_aborted: bool = False, is_retracted: bool = False
    ) -> DeliveryOutcome:
        """Show what the published results of a head come to now.

        ``is_aborted``: of an outdated head, it is no news; ``is_retracted``: a former vote can be taken back.
        """
        now = forge.now(one.project, one.number)
        if now is None:
            raise Refused(f"{one}: the server has no such change, or does not show it to the lab")
        if now.is_private:
            return DeliveryOutcome(name, "nothing", "the change is private")
        if is_aborted and (why := now.why_outdated(one)):
            return DeliveryOutcome(name, "nothing", why)
        message = self._message(one, now)
        if message.state == "pending" and not forge.replaces_comments:
            if is_retracted and not forge.shows(message):
                forge.tell(message, comment=False)
            return DeliveryOutcome(name, "nothing", "waits for the other phases")
        return self._send(forge, now, name, message)

    def _message(self, one: ProposalId, now: Proposal) -> ReviewMessage:
        project = ReviewedProject(one.forge, one.project, one.branch)
        found = review_report.results(lanes_of(self.context.lab, project), self.context.of_proposal(one.key))
        names = [result.build.name for result in found if result.build]
        items = [item for name in names if (item := self.context.find(name))]
        builds = {item.name: item.read().build for item in items}
        tips = {result.lane: tip for result in found if (tip := self._tip(result.lane))}
        scope = one.branch if is_one_of_several(self.context.lab, project) else ""
        return review_report.message(one, found, builds, self.context.link, withheld(one, now), tips, scope)

    def _tip(self, lane: Lane) -> Build | None:
        """Return the last build with a verdict of the branch that a lane's changes are for; None for an unknown one."""
        lab = self.context.lab
        histories = (self.context.history(*same) for same in lanes_of_branch(lab, lane))
        points = [
            point
            for history in histories
            for point in history
            if point.verdict in {"passed", *review_report.BAD} and not point.is_retracted
        ]
        newest = max(points, key=lambda point: point.started, default=None)
        item = self.context.find(newest.name) if newest else None
        return item.read().build if item else None

    def _send(self, forge: Forge, now: Proposal, name: str, message: ReviewMessage) -> DeliveryOutcome:
        """Send a message, unless the server shows it; where it takes no state, send the comment alone."""
        is_told = any(one.is_own and mark_of(one.text) == message.mark for one in forge.comments(now))
        if is_told and forge.shows(message):
            return DeliveryOutcome(name, "delivered")
        try:
            forge.tell(message, comment=not is_told)
        except ProposalClosed:
            if message.state is None:
                return DeliveryOutcome(name, "nothing", "the change is closed")
            fresh = forge.now(now.id.project, now.id.number) or now
            return self._send(forge, fresh, name, replace(self._message(message.id, fresh), state=None))
        except Refused:
            if message.state is not None and not is_told:
                self._send(forge, now, name, replace(message, state=None))
            raise
        return DeliveryOutcome(name, "delivered")

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Show the state that the other builds of the head come to.  Comments that cannot be replaced stay."""
        for tombstone in gone:
            track = self.context.lab.tracks.get(tombstone.track)
            if tombstone.proposal is None or track is None or track.trigger != "review":
                continue
            with suppress(Refused):  # the change is closed, or unknown: nothing more can be told
                forge = self.forges[server_of(self.context.lab, tombstone.track)[0]]
                self._tell(forge, tombstone.proposal, tombstone.name, is_retracted=True)


def withheld(one: ProposalId, now: Proposal) -> str:
    """Return why a head gets no state; "" for the present head of an open proposal that is ready for review."""
    return now.why_outdated(one) or ("the change is a draft" if now.is_draft else "")


def open_output(context: OutputContext) -> Output | None:
    lab = context.lab
    forges = {name: open_forge(lab, context.base, name, context.clock.now) for name in lab.reviews}
    return ReviewsOutput(context, forges) if forges else None
