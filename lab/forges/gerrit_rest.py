"""The REST API of a Gerrit; see its documentation, "REST API", "Query Changes", "Get Change" and "Set Review"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from lab.base.errors import ConfigurationError
from lab.config.access import Login
from lab.config.reviews import ReviewServer
from lab.forges import web
from lab.forges.answers import Fields, readable
from lab.forges.gerrit import DRAFT, TAG, GerritChange, status_of
from lab.forges.proposals import ForgeComment, ProposalClosed, ProposalId

GUARD: Final = ")]}'"  # before each JSON, see "Output Format"
PAGE: Final = 100
MOST_PAGES: Final = 30
OPTIONS: Final = ("CURRENT_REVISION", "CURRENT_COMMIT", "DETAILED_ACCOUNTS", "DETAILED_LABELS", "MESSAGES")


@dataclass(frozen=True)
class GerritRest:
    """The API; ``key``: the place of its settings in lab.yaml."""

    server: ReviewServer
    key: str
    login: Login
    now: Callable[[], float]

    def query(self, terms: str) -> Sequence[GerritChange]:
        found: list[GerritChange] = []
        for page in range(MOST_PAGES):
            fields = {"q": terms, "o": OPTIONS, "n": PAGE, "S": page * PAGE}
            answer = self._call("GET", f"changes/?{urlencode(fields, doseq=True)}")
            if not isinstance(answer, list):
                raise ConfigurationError(f"{self.server.home}: the answer is no list of changes: is this a Gerrit?")
            found += readable(answer, self._change)
            if not (answer and Fields(self._what, answer[-1]).flag("_more_changes")):
                break
        return found

    def change(self, project: str, number: int) -> GerritChange | None:
        where = f"changes/{quote(project, safe='')}~{number}"
        answer = self._call("GET", f"{where}?{urlencode({'o': OPTIONS}, doseq=True)}", missing=True)
        return self._change(answer) if answer is not None else None

    def review(self, one: ProposalId, comment: str, vote: int | None) -> int | None:
        labels = {} if vote is None else {self.server.label: vote}
        body = {"message": comment, "tag": TAG, "labels": labels, "notify": "OWNER"}
        where = f"changes/{quote(one.project, safe='')}~{one.number}/revisions/{one.head}/review"
        answer = self._call("POST", where, body)
        taken = answer.get("labels") if isinstance(answer, dict) else None
        return vote if taken == labels else None

    def _change(self, answer: Mapping[str, Any]) -> GerritChange:
        found = Fields(self._what, answer)
        head = found.commit("current_revision")
        return GerritChange(
            number=found.number("_number"),
            project=found.text("project"),
            branch=found.text("branch"),
            head=head,
            ref=found.text("revisions", head, "ref"),
            owner=found.text("owner", "username"),
            uploader=found.text("revisions", head, "uploader", "username"),
            message=found.text("revisions", head, "commit", "message"),
            status=status_of(found.text("status")),
            is_draft=found.flag("work_in_progress"),
            is_private=found.flag("is_private") or found.text("status") == DRAFT,
            comments=tuple(self._comment(Fields(self._what, one)) for one in found.items("messages")),
            vote=self._vote(found),
        )

    def _comment(self, found: Fields) -> ForgeComment:
        author = found.text("author", "username")
        return ForgeComment(
            found.text("id"), author, found.text("message"), found.moment("date"), author == self.login.user
        )

    def _vote(self, found: Fields) -> int:
        for answer in found.items("labels", self.server.label, "all"):
            vote = Fields(self._what, answer)
            if self.login.user and vote.text("username") == self.login.user:
                return vote.number("value") if vote.flag("value") else 0
        return 0

    @property
    def _what(self) -> str:
        return f"{self.server.home}: the answer of a Gerrit"

    def _call(self, method: str, where: str, body: Any = None, *, missing: bool = False) -> Any:
        """Send a request and return the JSON of its answer; None for what is not there, if it may be missing."""
        prefix, base = ("a/" if self.login.user else ""), self.server.home
        auth = (self.login.user, self.login.password or "") if self.login.user else None
        answer = web.send(method, f"{base}{prefix}{where}", base, f"{self.key}.url", json=body, auth=auth)
        is_query = method == "GET"
        if answer.status == HTTPStatus.UNAUTHORIZED or (is_query and answer.status == HTTPStatus.FORBIDDEN):
            who = self.login.user or "anonymous"
            raise ConfigurationError(f"{base}: {who} has no permission ({self.login.source})")
        if missing and answer.status == HTTPStatus.NOT_FOUND:
            return None
        message = web.complaint(answer, base, f"{method} {where.partition('?')[0]}")
        if answer.status == HTTPStatus.CONFLICT:
            raise ProposalClosed(message)
        web.check(answer, message, self.now())
        return answer.json(base, "a Gerrit server", GUARD)
