"""The REST APIs of GitHub and GitLab, and commit statuses on both; a status can be overwritten, but not deleted.

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

from lab.base.errors import ConfigurationError, NotNow, Refused
from lab.config import secret_source
from lab.config.forges import ForgeServer
from lab.forges import web

PAGE: Final = 100
MOST_PAGES: Final = 100
State = Literal["pending", "success", "failure", "error"]
# GitLab has no error; a canceled pipeline has neither passed nor failed.
GITLAB_STATES: Final[Mapping[State, str]] = {
    "pending": "running", "success": "success", "failure": "failed", "error": "canceled",
}  # fmt: skip
OptionalText = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class CommitMissing(Refused):
    """The forge has no such project or commit."""


class NotPublic(Refused):
    """A project that not everybody sees.  Nothing of it may reach public results."""

    def __init__(self, project: str, key: str) -> None:
        super().__init__(
            f"{project} is not public: its changes are not tested", hint=f"{key}.publish_private makes them public"
        )


class PostedStatus(BaseModel):
    """A status of a commit, as both forges list it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    context: OptionalText = Field(alias="name")
    state: OptionalText = Field(alias="status")
    target_url: OptionalText = ""

    @property
    def forge_state(self) -> State | None:
        """The state in the words of GitHub, None for another word."""
        if self.state == "failed":
            return "failure"
        words = {"running": "pending", "canceled": "error"}
        return next((state for state in GITLAB_STATES if state == words.get(self.state, self.state)), None)

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

    forge: ForgeServer
    key: str
    now: Callable[[], float]

    @property
    def is_github(self) -> bool:
        return self.forge.forge == "github"

    def posted(self, project: str, commit: str, context: str) -> list[PostedStatus]:
        """Return the statuses with a name that a commit has, newest first."""
        where, query = f"repos/{quote(project)}/commits/{commit}/statuses", dict[str, str]()
        if not self.is_github:
            where = f"projects/{quote(project, safe='')}/repository/commits/{commit}/statuses"
            query |= {"name": context, "all": "true"}
        found = [one for one in self._listed(where, query) if one.context.casefold() == context.casefold()]
        return sorted(found, key=lambda one: one.id, reverse=True)

    def post(self, project: str, commit: str, status: NewStatus, more: Mapping[str, str] | None = None) -> None:
        """Set a status of a commit; ``more``: further fields of the request.

        Raises Refused or NotNow, also if the answer shows another status; another LabError if the forge accepts none at all.
        """
        body = {"description": status.description, **({"target_url": status.target_url} if status.target_url else {})}
        if self.is_github:
            where, own = f"repos/{quote(project)}", {"state": status.state, "context": status.context}
        else:
            where = f"projects/{quote(project, safe='')}"
            own = {"state": GITLAB_STATES[status.state], "name": status.context}
        answer = self.call("POST", f"{where}/statuses/{commit}", {**body, **own, **(more or {})})
        try:
            shown = PostedStatus.model_validate(_like_gitlab(answer))
        except (TypeError, AttributeError, ValidationError):
            raise NotNow(f"{self.forge.api_url}: the answer to POST {where}/statuses shows no status") from None
        if (shown.context, shown.state) != (status.context, own["state"]):
            raise Refused(f"{self.forge.api_url}: shows the status {shown.context}: {shown.state}, not {own['state']}")

    def _listed(self, where: str, query: Mapping[str, str]) -> Iterator[PostedStatus]:
        try:
            yield from POSTED.validate_python([_like_gitlab(one) for one in self.listed(where, query)])
        except (TypeError, AttributeError, ValidationError):
            what = "the answer is no list of commit statuses"
            raise ConfigurationError(f"{self.forge.api_url}: {what}: is this a {self.kind}?") from None

    def listed(self, where: str, query: Mapping[str, str]) -> Iterator[Any]:
        """Yield the items of a list, page by page.  Raises ConfigurationError if the answer is no list."""
        for page in range(1, MOST_PAGES + 1):
            answer = self.call("GET", f"{where}?{urlencode({'per_page': PAGE, **query, 'page': page})}")
            if not isinstance(answer, list):
                what = f"the answer is no list of {where.rpartition('/')[2].replace('statuses', 'commit statuses')}"
                raise ConfigurationError(f"{self.forge.api_url}: {what}: is this a {self.kind}?")
            yield from answer
            if len(answer) < PAGE:
                return
        raise Refused(f"{self.forge.api_url}: {where}: has more than {MOST_PAGES * PAGE} items")

    @property
    def kind(self) -> str:
        return "GitHub" if self.is_github else "GitLab"

    def call(self, method: str, where: str, body: Any = None) -> Any:
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
        return answer.json(base, f"the API of a {self.kind}")


def _like_gitlab(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return a status of either forge with the names that GitLab gives to its fields."""
    name, state = status.get("name") or status.get("context"), status.get("status") or status.get("state")
    return {**status, "name": name, "status": state}
