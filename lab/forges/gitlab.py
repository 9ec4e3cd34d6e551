"""GitLab: merge requests, with a commit status and one note for each head.

See GitLab's "Merge requests API", "Notes API", "Commits API" and "Members API".  The head of a merge request from a fork
is no commit of the project, so that only a note can be shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Final
from urllib.parse import quote

from lab.base.text import shortened
from lab.config.reviews import ReviewServer
from lab.config.types import is_among
from lab.forges.answers import Fields, identity, readable, shown_comment
from lab.forges.forge_api import CommitMissing, ForgeApi, NewStatus, NotPublic
from lab.forges.proposals import ForgeComment, Proposal, ReviewMessage, replaceable

DEVELOPER: Final = 30  # of `access_level`
LONGEST: Final = 255  # of the description of a status


@dataclass(frozen=True)
class GitLabForge:
    """The merge requests of a GitLab; ``name``: that of the server in lab.yaml."""

    name: str
    server: ReviewServer
    api: ForgeApi
    members: dict[tuple[str, int], bool] = field(default_factory=dict)
    """Whether users are maintainers of projects, as the server has said."""

    replaces_comments: ClassVar[bool] = True

    def proposals(self, project: str, branch: str) -> Sequence[Proposal]:
        found = self._open(project, {"target_branch": branch})
        if found and self._is_private(project):
            raise NotPublic(project, f"reviews.{self.name}")
        return found

    def at(self, project: str, commits: Collection[str]) -> Sequence[Proposal]:
        return [one for one in self._open(project, {}) if one.id.head in commits]

    def now(self, project: str, number: int) -> Proposal | None:
        try:
            found = self._proposal(project, self._request(project, number))
            return replace(found, is_private=self._is_private(project))
        except CommitMissing:
            return None

    def named(self, reference: str) -> Sequence[Proposal] | None:
        found = re.fullmatch(re.escape(self.server.home) + r"([\w./-]+?)(?:/-)?/merge_requests/(\d{1,18})/?", reference)
        if found is None:
            return None
        proposal = self.now(found[1], int(found[2]))
        return [proposal] if proposal else []

    def comments(self, proposal: Proposal) -> Sequence[ForgeComment]:
        project, query = proposal.id.project, {"order_by": "created_at", "sort": "asc"}
        where = f"{self._requests(project)}/{proposal.id.number}/notes"
        notes = (Fields(self._what, found) for found in self.api.listed(where, query))
        return [self._comment(project, note) for note in notes if not note.flag("system")]

    def shows(self, message: ReviewMessage) -> bool:
        if message.state is None:
            return True
        try:
            posted = self.api.posted(message.id.project, message.id.head, message.context(self.server.context))
        except CommitMissing:  # the head is in a fork
            return True
        return bool(posted) and posted[0].forge_state == message.state

    def tell(self, message: ReviewMessage, *, comment: bool = True) -> None:
        one = message.id
        request = Fields(self._what, self._request(one.project, one.number))
        # The source is null where the fork was deleted.
        is_of_fork = not request.flag("source_project_id") or (
            request.number("source_project_id") != request.number("target_project_id")
        )
        if message.state and not is_of_fork and not self.shows(message):
            summary = shortened(message.summary, LONGEST)
            status = NewStatus(message.context(self.server.context), message.state, summary, message.url)
            self.api.post(one.project, one.head, status, _pipeline(request, one.head))
        if not comment:
            return
        where, replaced = (
            f"{self._requests(one.project)}/{one.number}/notes",
            replaceable(self.comments(Proposal(message.id, "")), message.mark),
        )
        method = "PUT" if replaced else "POST"
        answer = self.api.call(method, f"{where}/{replaced}" if replaced else where, {"body": message.markdown})
        shown_comment(Fields(self._what, answer).text("body"), message, self.api.forge.api_url)

    def _open(self, project: str, more: Mapping[str, str]) -> list[Proposal]:
        query = {"state": "opened", "order_by": "created_at", "sort": "asc", **more}
        return readable(self.api.listed(self._requests(project), query), partial(self._proposal, project))

    @cached_property
    def _own(self) -> str:
        """The user name of the lab's account."""
        return Fields(self._what, self.api.call("GET", "user")).text("username")

    @property
    def _what(self) -> str:
        return f"{self.api.forge.api_url}: the answer of a GitLab"

    def _requests(self, project: str) -> str:
        return f"projects/{quote(project, safe='')}/merge_requests"

    def _request(self, project: str, number: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.api.call("GET", f"{self._requests(project)}/{number}")
        return found

    def _is_private(self, project: str) -> bool:
        """Return whether not everybody sees the code and the merge requests of a project, as it is now."""
        if self.server.publish_private:
            return False
        answer = Fields(self._what, self.api.call("GET", f"projects/{quote(project, safe='')}"))
        parts = [answer.text(f"{part}_access_level") for part in ("repository", "merge_requests")]
        return answer.text("visibility") != "public" or "private" in parts

    def _proposal(self, project: str, answer: Mapping[str, Any]) -> Proposal:
        found = Fields(self._what, answer)
        number, author = found.number("iid"), found.text("author", "username")
        state = found.text("state")
        return Proposal(
            identity(
                self._what,
                forge=self.name,
                project=project,
                number=number,
                head=found.commit("sha"),
                ref=f"refs/merge-requests/{number}/head",
                branch=found.text("target_branch"),
            ),
            author,
            f"{found.text('title')}\n\n{found.text('description')}",
            "open" if state == "opened" else "merged" if state == "merged" else "closed",
            is_draft=found.flag("draft") or found.flag("work_in_progress"),
            is_trusted=self._is_trusted(project, found),
        )

    def _comment(self, project: str, found: Fields) -> ForgeComment:
        author = found.text("author", "username")
        is_own = author == self._own
        return ForgeComment(
            str(found.number("id")),
            author,
            found.text("body"),
            found.moment("updated_at" if is_own and found.flag("updated_at") else "created_at"),
            is_own=is_own,
            is_trusted=is_own or self._is_trusted(project, found),
        )

    def _is_trusted(self, project: str, found: Fields) -> bool:
        author = found.text("author", "username")
        if is_among(author, self.server.trusted):
            return True
        if not found.flag("author"):  # a deleted account
            return False
        user = found.number("author", "id")
        if (project, user) not in self.members:
            self.members[project, user] = self._is_member(project, user)
        return self.members[project, user]

    def _is_member(self, project: str, user: int) -> bool:
        try:
            answer = self.api.call("GET", f"projects/{quote(project, safe='')}/members/all/{user}")
        except CommitMissing:
            return False
        return Fields(self._what, answer).number("access_level") >= DEVELOPER


def _pipeline(request: Fields, head: str) -> dict[str, str]:
    """Return the pipeline that a status belongs to, so that it replaces no pipeline of the project's own."""
    fields = {"ref": request.text("source_branch")}
    if request.text("head_pipeline", "sha") == head:
        fields["pipeline_id"] = str(request.number("head_pipeline", "id"))
    return fields
