"""Changes under review: the state of each head, and a comment, on the forges that lab.yaml names in ``reviews``.

Both are computed when they are sent, from all published results of the head (see `reports.outputs.review_report`), so
that the order of arrival does not matter.  A delivery is done when the server shows the message.  The lab votes on the
present head of an open proposal that is no draft, and only comments on others.  Nothing is sent about a private one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from lab.base.errors import Refused
from lab.config.review_projects import ReviewedProject, lanes_of, server_of
from lab.forges.proposals import Forge, Proposal, ProposalClosed, ProposalId, ReviewMessage, mark_of
from lab.forges.registry import open_forge
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
        one = item.read().build.proposal
        if one is None:
            return DeliveryOutcome(item.name, "nothing", "its run names no change")
        now = forge.now(one.project, one.number)
        if now is None:
            raise Refused(f"{one}: the server has no such change, or does not show it to the lab")
        if now.is_private:
            return DeliveryOutcome(item.name, "nothing", "the change is private")
        message = self._message(one, now)
        if message.state == "pending" and not forge.replaces_comments:
            return DeliveryOutcome(item.name, "nothing", "waits for the other phases")
        return self._send(forge, now, item.name, message)

    def _message(self, one: ProposalId, now: Proposal) -> ReviewMessage:
        project = ReviewedProject(one.forge, one.project, one.branch)
        found = review_report.results(lanes_of(self.context.lab, project), self.context.of_proposal(one.key))
        names = [result.build.name for result in found if result.build]
        items = [item for name in names if (item := self.context.find(name))]
        builds = {item.name: item.read().build for item in items}
        return review_report.message(one, found, builds, self.context.link, withheld(one, now))

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
        """Keep the comments; their links are dead."""


def withheld(one: ProposalId, now: Proposal) -> str:
    """Return why a head gets no state; "" for the present head of an open proposal that is ready for review."""
    if now.status != "open":
        return f"the change is {now.status}"
    if now.id.head != one.head:
        return f"{now.id.head[:12]} has replaced {one.head[:12]}"
    return "the change is a draft" if now.is_draft else ""


def open_output(context: OutputContext) -> Output | None:
    lab = context.lab
    forges = {name: open_forge(lab, context.base, name, context.clock.now) for name in lab.reviews}
    return ReviewsOutput(context, forges) if forges else None
