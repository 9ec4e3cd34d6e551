"""Proposals: changes of a Gerrit, pull requests of a GitHub, merge requests of a GitLab; and the interface of a forge.

A forge knows its own API and nothing of the lab's decisions, which are in `scripts.reviews` (what is tested) and
`reports.outputs.reviews` (the vote).  An error of one proposal is Refused or NotNow; an error of the server, which
concerns all proposals, is another LabError.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lab.base.errors import Refused

MOST_BYTES: Final = 14_000  # of the text and the details; a Gerrit takes 16 KiB by default, the others more
BACKTICKS: Final = re.compile("`+")
MARK: Final = "qalab: "  # before the mark of a comment
NO_VOTE: Final = "\nNo vote: "  # before the reason
ReviewState = Literal["pending", "success", "failure", "error"]
"""The state of a proposal's head in the lab; ``error``: the lab could not test it."""


class ProposalId(BaseModel):
    """The identity of a proposal, at one of its heads."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    forge: str
    """The name of the server in lab.yaml."""
    project: str
    number: int
    head: str = Field(pattern=r"^[0-9a-f]{40,64}$")
    """The proposed commit, in full."""
    ref: str = Field(pattern=r"^refs/(changes|pull|merge-requests)/[0-9/]+(/head)?$")
    """The ref of the target repository that has the commit."""
    branch: str
    """The branch to merge it into."""

    def __str__(self) -> str:
        return f"{self.project} {self.number} ({self.head[:7]})"

    @property
    def key(self) -> str:
        """The identity in one line: equal for all runs of a head."""
        return f"{self.forge} {self.project} {self.number} {self.head}"


@dataclass(frozen=True)
class Proposal:
    """A proposal as the server shows it now."""

    id: ProposalId
    author: str
    text: str = ""
    """The description: on a Gerrit, the message of the commit."""
    status: Literal["open", "merged", "closed"] = "open"
    is_draft: bool = False
    is_private: bool = False
    is_trusted: bool = False
    """The server counts the author among the maintainers."""

    def why_outdated(self, one: ProposalId) -> str:
        """Return why one of its heads is not the present head of an open proposal, "" when it is."""
        if self.status != "open":
            return f"the change is {self.status}"
        if self.id.head != one.head:
            return f"{self.id.head[:12]} has replaced {one.head[:12]}"
        return f"it was tested for {one.branch}, and is for {self.id.branch} now" * (self.id.branch != one.branch)


@dataclass(frozen=True)
class ForgeComment:
    """A comment on a proposal; ``is_own``: by the lab's account.  ``when``: RFC 3339, in UTC."""

    id: str
    author: str
    text: str
    when: str
    is_own: bool = False
    is_trusted: bool = False
    """The server counts the author among the maintainers."""


@dataclass(frozen=True)
class ReviewMessage:
    """A message to a proposal at a head: a comment, and a state of the head, or None for the comment alone.

    ``summary``: one line.  ``text``: in the lab's words.  ``details``: lines with words of the tested software.  ``url``: of
    a page with details, can be empty.  ``mark``: ends the comment; the lab's comment with the same first word of the mark
    is replaced, where the server can replace comments.  ``scope``: what the state is for, where a commit has a state for each.
    """

    id: ProposalId
    state: ReviewState | None
    summary: str
    text: str
    mark: str
    details: tuple[str, ...] = ()
    url: str = ""
    scope: str = ""

    def context(self, first: str) -> str:
        """Return the name of the state of a commit, from its first part."""
        return f"{first}/{self.scope}" if self.scope else first

    @property
    def _parts(self) -> tuple[str, list[str]]:
        """The text and the lines of the details that fit into a comment together."""
        text = "\n".join(_within(self.text.split("\n"), MOST_BYTES))
        return text, _within(_one_line_each(self.details), MOST_BYTES - len(text.encode()))

    @property
    def plain(self) -> str:
        """The comment as plain text; no detail can begin a line, which could be a command to a bot."""
        text, details = self._parts
        return "\n".join([text, *(f"  {line}" for line in details), "", f"{MARK}{self.mark}"])

    @property
    def markdown(self) -> str:
        """The comment as Markdown; details are code, in which forges look for no mentions and no commands."""
        text, lines = self._parts
        fence = "`" * max(3, *(len(run) + 1 for line in lines for run in BACKTICKS.findall(line)), 3)
        code = [fence, *lines, fence] if lines else []
        return "\n".join([text, "", *code, "", f"<!-- {MARK}{self.mark} -->"])


class Forge(Protocol):
    """A server with proposals."""

    @property
    def replaces_comments(self) -> bool:
        """It can replace a comment; each message to another one is a further comment, which people get by mail."""

    def proposals(self, project: str, branch: str) -> Sequence[Proposal]:
        """Return the open proposals for a branch."""

    def at(self, project: str, commits: Collection[str]) -> Sequence[Proposal]:
        """Return the proposals of a project that have a head among commits.

        Those of GitHub and GitLab are open; a Gerrit also knows closed changes, and those with a newer patch set.
        """

    def now(self, project: str, number: int) -> Proposal | None:
        """Return a proposal as it is now, None for an unknown one."""

    def named(self, reference: str) -> Sequence[Proposal] | None:
        """Return the proposals that a line ``Depends-On: REFERENCE`` names; None if it names none of this server."""

    def comments(self, proposal: Proposal) -> Sequence[ForgeComment]:
        """Return the comments, oldest first."""

    def shows(self, message: ReviewMessage) -> bool:
        """Return whether the server shows the state of a message, or has no place for it."""

    def tell(self, message: ReviewMessage, *, comment: bool = True) -> None:
        """Show a message, or its state alone, and verify in the answer that the server shows it.

        Raises ProposalClosed if the server takes comments on the proposal, and no states.
        """


class ProposalClosed(Refused):
    """A proposal takes no states at a head: it was merged or abandoned, or has another head."""


def mark_of(comment: str) -> str:
    """Return the mark of a comment of the lab, "" for another comment."""
    last = comment.rstrip().rpartition("\n")[2].removeprefix("<!-- ").removesuffix(" -->")
    return last.removeprefix(MARK) if last.startswith(MARK) else ""


def replaceable(comments: Sequence[ForgeComment], mark: str) -> str:
    """Return the id of the lab's comment that one with this mark replaces, "" without one."""
    kind = mark.split(maxsplit=1)[0]
    return next((one.id for one in comments if one.is_own and mark_of(one.text).split()[:1] == [kind]), "")


def _one_line_each(lines: Sequence[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines]


def _within(lines: Sequence[str], room: int) -> list[str]:
    """Return the first lines that fit into some bytes of UTF-8, each with its end and the space before it."""
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + len("  \n")
        if room < 0:
            return [*kept, f"... and {len(lines) - len(kept)} more lines"]
        kept.append(line)
    return kept


def proposal_of(text: str) -> ProposalId | None:
    """Return the identity that a parameter of a build names as JSON; None for an empty or a damaged one."""
    try:
        return ProposalId.model_validate_json(text)
    except ValidationError:
        return None


PROPOSALS: Final = TypeAdapter(tuple[ProposalId, ...])


def proposals_of(text: str) -> tuple[ProposalId, ...] | None:
    """Return the identities that a parameter of a build lists as JSON, none for an empty one; None for a damaged one."""
    try:
        return PROPOSALS.validate_json(text or "[]")
    except ValidationError:
        return None
