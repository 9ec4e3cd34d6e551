"""The SSH command line of a Gerrit; see its documentation, "gerrit query" and "gerrit review"."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lab.base.errors import ConfigurationError, InfrastructureError, NotNow, Refused
from lab.base.run import ProgramFailed, TimedOut, run
from lab.base.text import shortened
from lab.config.reviews import ReviewServer
from lab.forges import web
from lab.forges.answers import Fields, readable
from lab.forges.gerrit import DRAFT, TAG, GerritChange, status_of
from lab.forges.proposals import ForgeComment, ProposalClosed, ProposalId

SSH_FAILED: Final = 255  # ssh(1): the status of ssh itself
TEMPORARY: Final = re.compile(r"(?i)internal server error|unavailable|timed? ?out|try again|cannot query")
MOST_PAGES: Final = 30
CLOSED: Final = "change is closed"
PATCH_SET: Final = re.compile(r"refs/changes/\d+/(\d+)/(\d+)")
DETAILS: Final = "--comments --current-patch-set --all-approvals --commit-message"


@dataclass(frozen=True)
class GerritSsh:
    """The command line at ``where``: USER@HOST[:PORT]."""

    server: ReviewServer
    where: str

    def query(self, terms: str) -> Sequence[GerritChange]:
        return readable(self._found(terms), self._change)

    def _found(self, terms: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            start = f"--start {len(found)} " if found else ""
            lines = self._call(f"gerrit query --format=JSON {DETAILS} {start}{terms}").splitlines()
            answer = [self._read(line) for line in lines if line.strip()]
            if not answer:
                raise NotNow(f"{self.where}: the answer is empty")
            page = [one for one in answer if "number" in one]
            found += page
            if not (page and answer[-1].get("moreChanges")):
                break
        return found

    def change(self, project: str, number: int) -> GerritChange | None:
        found = self._found(f'change:{number} project:"{project}"')
        return self._change(found[0]) if found else None

    def review(self, one: ProposalId, comment: str, vote: int | None) -> int | None:
        found = PATCH_SET.fullmatch(one.ref)
        if found is None:
            raise Refused(f"{self.where}: {one.ref} is the ref of no patch set")
        option = "" if vote is None else f"--label {self.server.label}={vote:+d} "
        text = comment.replace("\\", " ").replace("'", "’").replace('"', "”")  # Gerrit's shell is not sh
        option += f"--message '{text}' " if text else ""
        self._call(f"gerrit review --tag {TAG} --notify OWNER {option}{found[1]},{found[2]}")
        if vote is None:
            return None
        change = self.change(one.project, one.number)  # the command prints nothing
        return change.vote if change else None

    def _read(self, line: str) -> dict[str, Any]:
        try:
            found = dict(json.loads(line))
        except (ValueError, TypeError):
            raise NotNow(f"{self.where}: the answer is not JSON: {shortened(line, 160)}") from None
        if found.get("type") == "error":  # the exit status is 0 nevertheless
            raise NotNow(f"{self.where}: {found.get('message', 'the query failed')}")
        return found

    def _change(self, answer: Mapping[str, Any]) -> GerritChange:
        found = Fields(f"{self.where}: the answer of a Gerrit", answer)
        return GerritChange(
            number=found.number("number"),
            project=found.text("project"),
            branch=found.text("branch"),
            head=found.commit("currentPatchSet", "revision"),
            ref=found.text("currentPatchSet", "ref"),
            owner=found.text("owner", "username"),
            uploader=found.text("currentPatchSet", "uploader", "username"),
            message=found.text("commitMessage"),
            status=status_of(found.text("status")),
            is_draft=found.flag("wip"),
            is_private=found.flag("private") or found.text("status") == DRAFT,
            comments=tuple(self._comment(Fields(found.what, one)) for one in found.items("comments")),
            vote=self._vote(found),
        )

    @property
    def _user(self) -> str:
        return self.where.partition("@")[0]

    def _comment(self, found: Fields) -> ForgeComment:
        author, seconds = found.text("reviewer", "username"), str(found.number("timestamp"))
        return ForgeComment(seconds, author, found.text("message"), found.moment("timestamp"), author == self._user)

    def _vote(self, found: Fields) -> int:
        for answer in found.items("currentPatchSet", "approvals"):
            vote = Fields(found.what, answer)
            value = vote.text("value")
            if (vote.text("type"), vote.text("by", "username")) == (self.server.label, self._user):
                return int(value) if re.fullmatch(r"[+-]?\d", value) else 0
        return 0

    def _call(self, command: str) -> str:
        host, _, port = self.where.partition(":")
        options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-p", port or "29418"]
        try:
            with tempfile.NamedTemporaryFile("w+", encoding="utf-8") as log:  # for standard error
                argv = ["ssh", *options, host, command]
                return run(argv, capture=True, log=log, timeout=web.TIMEOUT_SECONDS).stdout
        except TimedOut as error:
            raise NotNow(f"{self.where}: {error}") from None
        except ProgramFailed as error:
            raise self._failure(command, error) from None

    def _failure(self, command: str, error: ProgramFailed) -> ConfigurationError | InfrastructureError:
        """Return the error of an exit status: a status of ssh concerns the server, one of Gerrit this change."""
        status, complaint = error.result.returncode, error.result.complaint
        verb = "ssh" if status == SSH_FAILED else " ".join(command.split()[:2])
        message = f"{self.where}: {verb} ended with status {status}{f': {complaint}' if complaint else ''}"
        if status == SSH_FAILED or status < 0:
            return InfrastructureError(message)
        if CLOSED in complaint:
            return ProposalClosed(message)
        return NotNow(message) if TEMPORARY.search(complaint) else Refused(message)
