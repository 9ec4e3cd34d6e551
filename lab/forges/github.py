"""GitHub: pull requests, with a commit status and one comment for each head.

See GitHub's REST API, "Pulls", "Issue comments", "Commit statuses" and "Get repository permissions for a user".  Check runs
are for GitHub Apps only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, Final
from urllib.parse import quote

from lab.base.errors import ConfigurationError, Refused
from lab.base.text import shortened
from lab.config.reviews import ReviewServer
from lab.config.types import is_among
from lab.forges.answers import Fields, identity, readable, shown_comment
from lab.forges.forge_api import CommitMissing, ForgeApi, NewStatus, NotPublic
from lab.forges.proposals import ForgeComment, Proposal, ReviewMessage, replaceable

KNOWN: Final = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})  # of `author_association`: others may not write
# Of `permission`, which is write for the role maintain, and read for triage.
WRITERS: Final = frozenset({"admin", "write"})
LONGEST: Final = 140  # GitHub refuses a longer description of a status


@dataclass(frozen=True)
class GitHubForge:
    """The pull requests of a GitHub; ``name``: that of the server in lab.yaml."""

    name: str
    server: ReviewServer
    api: ForgeApi
    writers: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether users may write to projects, as the server has said."""

    replaces_comments: ClassVar[bool] = True

    def proposals(self, project: str, branch: str) -> Sequence[Proposal]:
        found = self._open(project, {"base": branch})
        if any(one.is_private for one in found):
            raise NotPublic(project, f"reviews.{self.name}")
        return found

    def at(self, project: str, commits: Collection[str]) -> Sequence[Proposal]:
        return [one for one in self._open(project, {}) if one.id.head in commits]

    def now(self, project: str, number: int) -> Proposal | None:
        try:
            return self._proposal(project, self.api.call("GET", f"repos/{quote(project)}/pulls/{number}"))
        except CommitMissing:
            return None

    def named(self, reference: str) -> Sequence[Proposal] | None:
        found = re.fullmatch(re.escape(self.server.home) + r"([\w.-]+/[\w.-]+)/pull/(\d{1,18})/?", reference)
        if found is None:
            return None
        proposal = self.now(found[1], int(found[2]))
        return [proposal] if proposal else []

    def comments(self, proposal: Proposal) -> Sequence[ForgeComment]:
        where = f"repos/{quote(proposal.id.project)}/issues/{proposal.id.number}/comments"
        return [self._comment(proposal.id.project, Fields(self._what, found)) for found in self.api.listed(where, {})]

    def shows(self, message: ReviewMessage) -> bool:
        if message.state is None:
            return True
        posted = self.api.posted(message.id.project, message.id.head, message.context(self.server.context))
        return bool(posted) and posted[0].forge_state == message.state

    def tell(self, message: ReviewMessage, *, comment: bool = True) -> None:
        one = message.id
        if message.state and not self.shows(message):
            summary = shortened(message.summary, LONGEST)
            self.api.post(
                one.project,
                one.head,
                NewStatus(message.context(self.server.context), message.state, summary, message.url),
            )
        if not comment:
            return
        repository = f"repos/{quote(one.project)}/issues"
        replaced = replaceable(self.comments(Proposal(message.id, "")), message.mark)
        call = ("PATCH", f"{repository}/comments/{replaced}") if replaced else None
        method, where = call or ("POST", f"{repository}/{one.number}/comments")
        answer = self.api.call(method, where, {"body": message.markdown})
        shown_comment(Fields(self._what, answer).text("body"), message, self.api.forge.api_url)

    def _open(self, project: str, more: Mapping[str, str]) -> list[Proposal]:
        query = {"state": "open", "sort": "created", "direction": "asc", **more}
        return readable(self.api.listed(f"repos/{quote(project)}/pulls", query), partial(self._proposal, project))

    @cached_property
    def _own(self) -> str:
        """The user name of the lab's account."""
        try:
            return Fields(self._what, self.api.call("GET", "user")).text("login")
        except Refused as error:
            raise ConfigurationError(f"{error}: the token must be that of a user") from None

    @property
    def _what(self) -> str:
        return f"{self.api.forge.api_url}: the answer of a GitHub"

    def _proposal(self, project: str, answer: Mapping[str, Any]) -> Proposal:
        found = Fields(self._what, answer)
        number, author = found.number("number"), found.text("user", "login")
        is_merged = bool(found.text("merged_at"))
        return Proposal(
            identity(
                self._what,
                forge=self.name,
                project=project,
                number=number,
                head=found.commit("head", "sha"),
                ref=f"refs/pull/{number}/head",
                branch=found.text("base", "ref"),
            ),
            author,
            f"{found.text('title')}\n\n{found.text('body')}",
            "merged" if is_merged else "open" if found.text("state") == "open" else "closed",
            is_draft=found.flag("draft"),
            is_private=found.flag("base", "repo", "private") and not self.server.publish_private,
            is_trusted=self._is_trusted(project, author, found),
        )

    def _comment(self, project: str, found: Fields) -> ForgeComment:
        author = found.text("user", "login")
        is_own = author == self._own
        return ForgeComment(
            str(found.number("id")),
            author,
            found.text("body"),
            found.moment("updated_at" if is_own and found.flag("updated_at") else "created_at"),
            is_own=is_own,
            is_trusted=is_own or self._is_trusted(project, author, found),
        )

    def _is_trusted(self, project: str, author: str, found: Fields) -> bool:
        """Return whether a user may write to a project; a member or a collaborator can have the right to read alone."""
        if is_among(author, self.server.trusted):
            return True
        if found.text("author_association") not in KNOWN:
            return False
        if (project, author) not in self.writers:
            self.writers[project, author] = self._may_write(project, author)
        return self.writers[project, author]

    def _may_write(self, project: str, author: str) -> bool:
        try:
            answer = self.api.call("GET", f"repos/{quote(project)}/collaborators/{quote(author, safe='')}/permission")
        except CommitMissing:
            return False
        return Fields(self._what, answer).text("permission") in WRITERS
