"""The parts of a GitHub and of a GitLab that set and list commit statuses; see their REST API documentation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers import Answer, Request


@dataclass
class ForgeDouble:
    """The statuses of commits by project and commit, oldest first."""

    projects: dict[str, dict[str, list[dict[str, Any]]]]
    trouble: dict[str, Answer | None] = field(default_factory=dict)
    """Answers by method, in place of the ordinary ones."""
    lose: int = 0
    number: int = 0

    def __call__(self, request: Request) -> Answer | None:
        if request.method in self.trouble:
            return self.trouble[request.method]
        if not self.is_known(request.headers):
            return 401, json.dumps({"message": "Bad credentials"})
        project, commit = self.place(urlsplit(request.path).path)
        if project not in self.projects:
            return 404, json.dumps({"message": "Not Found"})
        if commit not in self.projects[project]:
            return self.no_commit()
        statuses = self.projects[project][commit]
        return self.shown(request, statuses) if request.method == "GET" else self.added(request, statuses)

    def shown(self, request: Request, statuses: list[dict[str, Any]]) -> Answer:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        size, page = int(query["per_page"]), int(query["page"])
        return 200, json.dumps(self.listed(statuses, query)[(page - 1) * size : page * size])

    def added(self, request: Request, statuses: list[dict[str, Any]]) -> Answer | None:
        self.number += 1
        statuses.append({"id": self.number, **self.made(json.loads(request.body))})
        if self.lose:
            self.lose -= 1
            return None
        return 201, json.dumps(statuses[-1])

    def is_known(self, headers: dict[str, str]) -> bool:
        raise NotImplementedError

    def place(self, path: str) -> tuple[str, str]:
        raise NotImplementedError

    def no_commit(self) -> Answer:
        raise NotImplementedError

    def made(self, body: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def listed(self, statuses: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        raise NotImplementedError


class GitHubDouble(ForgeDouble):
    """``POST repos/OWNER/NAME/statuses/SHA``, ``GET repos/OWNER/NAME/commits/SHA/statuses``."""

    def is_known(self, headers: dict[str, str]) -> bool:
        return headers.get("authorization") == "Bearer t0ken"

    def place(self, path: str) -> tuple[str, str]:
        parts = path.removeprefix("/api/v3/repos/").split("/")
        assert parts[2:-1] == ["statuses"] or (parts[2], parts[4:]) == ("commits", ["statuses"])
        return "/".join(parts[:2]), parts[3]

    def no_commit(self) -> Answer:
        return 422, json.dumps({"message": "No commit found for SHA"})

    def made(self, body: dict[str, Any]) -> dict[str, Any]:
        assert set(body) <= {"state", "target_url", "description", "context"}
        assert body["state"] in {"error", "failure", "pending", "success"}
        assert len(body["description"]) <= 140
        return {"target_url": None, **body}

    def listed(self, statuses: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        return statuses[::-1]


class GitLabDouble(ForgeDouble):
    """``POST projects/ID/statuses/SHA``, ``GET projects/ID/repository/commits/SHA/statuses``."""

    def is_known(self, headers: dict[str, str]) -> bool:
        return headers.get("private-token") == "t0ken"

    def place(self, path: str) -> tuple[str, str]:
        parts = path.removeprefix("/api/v4/projects/").split("/")
        assert parts[1] == "statuses" or (parts[1:3], parts[4]) == (["repository", "commits"], "statuses")
        return unquote(parts[0]), parts[2] if parts[1] == "statuses" else parts[3]

    def no_commit(self) -> Answer:
        return 404, json.dumps({"message": "404 Commit Not Found"})

    def made(self, body: dict[str, Any]) -> dict[str, Any]:
        assert set(body) <= {"state", "target_url", "description", "name"}
        assert body["state"] in {"pending", "running", "success", "failed", "canceled", "skipped"}
        assert max(len(body["description"]), len(body.get("target_url", ""))) <= 255
        return {"target_url": None, **body, "status": body["state"]}

    def listed(self, statuses: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        named = [one for one in statuses if one["name"] == query["name"]]
        return named if query.get("all") == "true" else named[-1:]
