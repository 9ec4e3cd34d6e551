"""The open proposals that a proposal is tested with: its lines ``Depends-On``, and theirs, in the order of merging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.forges.proposals import Forge, Proposal
from scripts.reviews import comments
from scripts.reviews.comments import MOST


class Unmet(Exception):
    """A proposal cannot be tested with what it depends on.  The text is for its author."""


class NotYet(Unmet):
    """A dependency has no verdict yet: the proposal waits in silence."""


@dataclass
class Dependencies:
    """The dependencies of proposals on a server."""

    forge: Forge
    asked: int = 0

    def of(self, proposal: Proposal) -> list[Proposal]:
        """Return the open proposals that one depends on, the first to merge first.  Raises Unmet."""
        found: dict[str, Proposal] = {}
        self.asked = 0
        self._add(proposal, found, ())
        found.pop(proposal.id.key)
        return list(found.values())

    def _add(self, proposal: Proposal, found: dict[str, Proposal], path: Sequence[str]) -> None:
        key = proposal.id.key
        if key in path:
            raise Unmet(f"it depends on itself, by {proposal.id}")
        if key in found:
            return
        if len(path) >= MOST:
            raise Unmet(f"it depends on more than {MOST} changes, one after the other")
        references = comments.references(proposal)
        self.asked += len(references)
        if self.asked > MOST:
            raise Unmet(f"it depends on more than {MOST} changes")
        for reference in references:
            for needed in self._named(reference, proposal):
                self._add(needed, found, (*path, key))
        found[key] = proposal

    def _named(self, reference: str, proposal: Proposal) -> list[Proposal]:
        named = self.forge.named(reference)
        if named is None:
            raise Unmet(f"Depends-On: {reference}: is no change of {proposal.id.forge}")
        if not named:
            raise Unmet(f"Depends-On: {reference}: there is no such change")
        # A Change-Id can name changes on several branches: that on the same branch counts, if there is one.
        same = [one for one in named if one.id.branch == proposal.id.branch] or list(named)
        for one in same:
            if one.status == "closed":
                raise Unmet(f"Depends-On: {reference}: was abandoned")
            if one.is_private:
                raise Unmet(f"Depends-On: {reference}: is private")
        return [one for one in same if one.status == "open"]


def has_merged(forge: Forge, key: str) -> bool:
    """Return whether a proposal that was a dependency has been merged; ``key``: of `ProposalId`."""
    _, project, number, _ = key.split()
    now = forge.now(project, int(number))
    return now is not None and now.status == "merged"
