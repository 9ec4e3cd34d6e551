"""The REST APIs of forges for commit statuses; a status can be overwritten, but not deleted.

See GitHub's REST API, "REST API endpoints for commit statuses", and GitLab's "Commits API", "Set the pipeline status of a
commit" and "List the statuses of a commit".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from lab.base.errors import ConfigurationError, Refused
from lab.config import secret_source
from lab.config.forges import CommitStatuses
from lab.forges import web

PAGE: Final = 100
MOST_PAGES: Final = 10
State = Literal["success", "failure", "error"]
# GitLab has no error; a canceled pipeline has neither passed nor failed.
GITLAB_STATES: Final[Mapping[State, str]] = {"success": "success", "failure": "failed", "error": "canceled"}
OptionalText = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class CommitMissing(Refused):
    """The forge has no such project or commit."""


class PostedStatus(BaseModel):
    """A status of a commit, as both forges list it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    context: OptionalText = Field(alias="name")
    state: OptionalText = Field(alias="status")
    target_url: OptionalText = ""

    @property
    def is_verdict(self) -> bool:
        return self.state in {"success", "failure", "failed"}


POSTED: Final = TypeAdapter(list[PostedStatus])


@dataclass(frozen=True)
class NewStatus:
    """A status of a commit: its name, its state, one line, and the address of a page, which can be empty."""

    context: str
    state: State
    description: str
    target_url: str


@dataclass(frozen=True)
class ForgeApi:
    """The API of a forge; ``key``: the place of its settings in lab.yaml."""

    forge: CommitStatuses
    key: str
    now: Callable[[], float]

    @property
    def is_github(self) -> bool:
        return self.forge.forge == "github"

    def posted(self, project: str, commit: str, context: str) -> list[PostedStatus]:
        """Return the statuses with a name that a commit has, newest first."""
        where, query = f"repos/{quote(project)}/commits/{commit}/statuses", {"per_page": str(PAGE)}
        if not self.is_github:
            where = f"projects/{quote(project, safe='')}/repository/commits/{commit}/statuses"
            query |= {"name": context, "all": "true"}
        found = [one for one in self._listed(where, query) if one.context.casefold() == context.casefold()]
        return sorted(found, key=lambda one: one.id, reverse=True)

    def post(self, project: str, commit: str, status: NewStatus) -> None:
        """Set a status of a commit.  Raises Refused or NotNow; another LabError if the forge accepts none at all."""
        body = {"description": status.description, **({"target_url": status.target_url} if status.target_url else {})}
        if self.is_github:
            where, own = f"repos/{quote(project)}", {"state": status.state, "context": status.context}
        else:
            where = f"projects/{quote(project, safe='')}"
            own = {"state": GITLAB_STATES[status.state], "name": status.context}
        self._call("POST", f"{where}/statuses/{commit}", body | own)

    def _listed(self, where: str, query: Mapping[str, str]) -> Iterator[PostedStatus]:
        for page in range(1, MOST_PAGES + 1):
            answer = self._call("GET", f"{where}?{urlencode({**query, 'page': page})}")
            try:
                found = POSTED.validate_python([_like_gitlab(one) for one in answer])
            except (TypeError, AttributeError, ValidationError):
                what = "the answer is no list of commit statuses"
                raise ConfigurationError(f"{self.forge.api_url}: {what}: is this a {self._kind}?") from None
            yield from found
            if len(found) < PAGE:
                return

    @property
    def _kind(self) -> str:
        return "GitHub" if self.is_github else "GitLab"

    def _call(self, method: str, where: str, body: Any = None) -> Any:
        """Send a request and return the JSON of its answer."""
        base = self.forge.api_url
        token = secret_source.read(self.forge.secret, f"{self.key}.token")
        headers = {"PRIVATE-TOKEN": token}
        if self.is_github:
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        call = f"{method} {where.partition('?')[0]}"
        try:
            answer = web.send(method, f"{base}{where}", base, f"{self.key}.api", json=body, headers=headers)
        except web.RedirectedElsewhere as error:
            if not error.is_same_server:
                raise
            raise Refused(f"{base}: redirects {call}: was the project renamed? correct its upstream URL") from None
        message = web.complaint(answer, base, call)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise ConfigurationError(f"{message} (token: {self.forge.secret.place})")
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise CommitMissing(f"{message}; or may the token ({self.forge.secret.place}) not see the project?")
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and method == "GET":  # GitHub: no commit found for SHA
            raise CommitMissing(message)
        web.check(answer, message, self.now())
        return answer.json(base, f"the API of a {self._kind}")


def _like_gitlab(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return a status of either forge with the names that GitLab gives to its fields."""
    name, state = status.get("name") or status.get("context"), status.get("status") or status.get("state")
    return {**status, "name": name, "status": state}
