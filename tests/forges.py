"""A Gerrit (HTTP and SSH), a GitHub and a GitLab on loopback, as their documentation describes them.

All three show the same proposals, so that one table tests all.  `World.trouble` replaces an answer.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers import Answer, Request

LAB = "lab-bot"
ASSOCIATIONS = {True: "MEMBER", False: "CONTRIBUTOR"}
SSH = """#!{python} -SE
import socket, sys
command = sys.argv[-1].encode()
server = socket.create_connection(("127.0.0.1", {port}))
server.sendall(b"POST /ssh HTTP/1.0\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(command) + command)
answer = b"".join(iter(lambda: server.recv(65536), b""))
code, out, err = answer.partition(b"\\r\\n\\r\\n")[2].split(b"\\0")
sys.stdout.buffer.write(out)
sys.stderr.buffer.write(err)
sys.exit(int(code))
"""


@dataclass
class Item:
    """A proposal, its comments, votes and statuses; ``level``: of the author, for a GitLab."""

    number: int
    head: str
    project: str = "team/greet"
    branch: str = "main"
    author: str = "alice"
    text: str = "Greet"
    status: str = "open"
    patch_set: int = 1
    is_draft: bool = False
    is_private: bool = False
    is_fork: bool = False
    can_vote: bool = True
    former: list[str] = field(default_factory=list)
    """The heads before."""
    uploader: str = ""
    """Of the current patch set; default: the author."""
    comments: list[dict[str, Any]] = field(default_factory=list)
    votes: list[int] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ref(self) -> str:
        return f"refs/changes/{self.number % 100:02}/{self.number}/{self.patch_set}"

    @property
    def bodies(self) -> list[str]:
        """The comments of the lab."""
        return [one["body"] for one in self.comments if one["author"] == LAB]

    def say(self, author: str, body: str, when: str = "2026-01-02T00:00:00.000Z") -> None:
        self.comments.append(
            {"id": 100 * self.number + len(self.comments), "author": author, "body": body, "when": when}
        )


@dataclass
class World:
    """The proposals of a server, and the users that it counts among the maintainers of all projects."""

    items: list[Item] = field(default_factory=list)
    maintainers: set[str] = field(default_factory=lambda: {"alice", "maria"})
    trouble: Callable[[str, str], Answer | bool | None] = lambda method, path: False  # noqa: ARG005
    """Return the answer to a request in place of the ordinary one; None for a lost one, False for none."""
    lose: int = 0
    """How many answers to writes get lost."""
    is_strict: bool = True
    """The setting change.strictLabels of a Gerrit: without it, Gerrit ignores unknown labels."""
    label: str = "Verified"
    most: int = 500
    """How many changes an SSH answer of a Gerrit has."""
    token: str = "t0ken"
    """Of a GitHub and a GitLab."""
    permissions: dict[str, str] = field(default_factory=dict)
    """Of maintainers of a GitHub, who are members of its organization; default: write."""
    hidden: set[str] = field(default_factory=set)
    """Projects of a GitHub or a GitLab that not everybody sees."""
    repositories: dict[str, Path] = field(default_factory=dict)
    """The git directories of projects, which git fetches as plain files (the dumb protocol)."""

    def item(self, project: str, number: int) -> Item | None:
        return next((one for one in self.items if (one.project, one.number) == (project, number)), None)

    def __call__(self, request: Request) -> Answer | None:
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = json.loads(request.body) if request.body and url.path != "/ssh" else {}
        if (found := self.trouble(request.method, url.path)) is not False:
            return found  # type: ignore[return-value] # True is no answer
        answer: Answer | None
        for project, path in self.repositories.items():
            if url.path.startswith(f"/{project}/"):
                return served(path / url.path.removeprefix(f"/{project}/"))
        if url.path == "/ssh":
            answer = 200, "\0".join(self.ssh(request.body.decode()))
        elif url.path.startswith("/a/"):
            answer = self.gerrit(request, url.path, query, body)
        elif url.path.startswith("/api/v3/"):
            answer = self.github(request, url.path.removeprefix("/api/v3/"), query, body)
        else:
            answer = self.gitlab(request, url.path.removeprefix("/api/v4/"), query, body)
        if self.lose and (request.method != "GET" and (url.path != "/ssh" or b"gerrit review" in request.body)):
            self.lose -= 1
            return (200, "255\0\0Connection closed") if url.path == "/ssh" else None
        return answer

    # Gerrit

    def gerrit(self, request: Request, path: str, query: Mapping[str, str], body: dict[str, Any]) -> Answer:
        if request.headers.get("authorization") != f"Basic {base64.b64encode(f'{LAB}:s3cret'.encode()).decode()}":
            return 401, "Unauthorized"
        if path == "/a/changes/":
            found, start, size = self.search(query["q"]), int(query["S"]), int(query["n"])
            shown = [self.change(one) for one in found[start : start + size]]
            if found[start + size :]:
                shown[-1]["_more_changes"] = True
            return 200, guarded(shown)
        name, _, rest = path.removeprefix("/a/changes/").partition("/")
        project, _, number = unquote(name).rpartition("~")
        item = self.item(project, int(number))
        if item is None:
            return 404, f"Not found: {unquote(name)}\n"
        if not rest:
            return 200, guarded(self.change(item))
        assert set(body) == {"message", "tag", "labels", "notify"}
        assert (body["tag"], body["notify"]) == ("autogenerated:qalab", "OWNER")
        status, text, labels = self.review(item, rest.split("/")[1], body["message"], body["labels"])
        return status, guarded({"labels": labels}) if status == 200 else text

    def review(
        self, item: Item, revision: str, message: str, labels: dict[str, int]
    ) -> tuple[int, str, dict[str, int]]:
        """Refuse the comment together with the labels, as PostReview does."""
        if len(message.encode()) > 16 * 1024:
            return 400, "Comment size exceeds limit\n", {}
        if labels and item.status == "closed":
            return 409, "change is closed\n", {}
        if labels and item.status == "merged":
            return 409, "Cannot reduce vote on labels for closed change: Verified\n", {}
        if wrong := next((name for name in labels if name != self.label), None):
            if self.is_strict:
                return 400, f'label "{wrong}" is not a configured label\n', {}
            labels = {}
        if labels and not item.can_vote:
            return 403, f'Applying label "{self.label}": {labels[self.label]} is restricted\n', {}
        if message:
            item.say(LAB, f"Patch Set {item.patch_set}:\n\n{message}")
        if revision == item.head:
            item.votes += labels.values()
        return 200, "", labels

    def search(self, terms: str) -> list[Item]:
        found = self.items
        if match := re.fullmatch(r'status:open project:"(.*)" branch:"(.*)"', terms):
            return [one for one in found if (one.status, one.project, one.branch) == ("open", *match.groups())]
        if re.fullmatch(r"commit:[0-9a-f]{40}(?: OR commit:[0-9a-f]{40})*", terms):
            return [one for one in found if any(f"commit:{head}" in terms for head in (one.head, *one.former))]
        if match := re.fullmatch(r'change:(\d+)(?: project:"(.*)")?', terms):
            return [one for one in found if one.number == int(match[1]) and match[2] in {None, one.project}]
        match = re.fullmatch(r"change:(I[0-9a-f]{40})", terms)
        assert match, terms
        return [one for one in found if f"Change-Id: {match[1]}" in one.text]

    def change(self, item: Item) -> dict[str, Any]:
        votes = [{"username": LAB, "value": item.votes[-1]}] if item.votes else []
        return {
            "_number": item.number,
            "project": item.project,
            "branch": item.branch,
            "status": {"open": "NEW", "merged": "MERGED", "closed": "ABANDONED"}[item.status],
            "owner": {"username": item.author},
            "current_revision": item.head,
            "revisions": {
                item.head: {
                    "ref": item.ref,
                    "commit": {"message": item.text},
                    "uploader": {"username": item.uploader or item.author},
                }
            },
            **({"work_in_progress": True} if item.is_draft else {}),
            **({"is_private": True} if item.is_private else {}),
            "labels": {self.label: {"all": [{"username": "alice", "value": 0}, *votes]}},
            "messages": [
                {
                    "id": str(one["id"]),
                    "author": {"username": one["author"]},
                    "date": f"{one['when'][:10]} {one['when'][11:23]}000000",
                    "message": one["body"],
                }
                for one in item.comments
            ],
        }

    def ssh(self, command: str) -> tuple[str, str, str]:
        """Return the exit status and both outputs of a command."""
        options = "--format=JSON --comments --current-patch-set --all-approvals --commit-message "
        if command.startswith(f"gerrit query {options}"):
            terms = command.removeprefix(f"gerrit query {options}")
            match = re.fullmatch(r"(?:--start (\d+) )?(.*)", terms)
            assert match
            found = [self.ssh_change(one) for one in self.search(match[2])][int(match[1] or 0) :]
            stats = {"type": "stats", "rowCount": len(found[: self.most]), "moreChanges": len(found) > self.most}
            lines = [*map(json.dumps, found[: self.most]), json.dumps(stats)]
            return "0", "\n".join(lines) + "\n", ""
        match = re.fullmatch(
            r"gerrit review --tag autogenerated:qalab --notify OWNER (?:--label (\w[\w-]*)=([+-]\d) )?(?:--message '([^']*)' )?"
            r"(\d+),(\d+)",
            command,
            re.DOTALL,
        )
        assert match, command
        item = next(one for one in self.items if one.number == int(match[4]))
        revision = item.head if int(match[5]) == item.patch_set else ""
        labels = {match[1]: int(match[2])} if match[1] else {}
        status, text, _ = self.review(item, revision, match[3] or "", labels)
        if status == 200:
            return "0", "", ""
        return "1", "", f"error: {'fatal: change is closed' if status == 409 else text.strip()}\n"

    def ssh_change(self, item: Item) -> dict[str, Any]:
        votes = [{"type": self.label, "value": f"{item.votes[-1]}", "by": {"username": LAB}}] if item.votes else []
        return {
            "number": item.number,
            "project": item.project,
            "branch": item.branch,
            "status": {"open": "NEW", "merged": "MERGED", "closed": "ABANDONED"}[item.status],
            "owner": {"username": item.author},
            "commitMessage": item.text,
            "wip": item.is_draft,
            "private": item.is_private,
            "currentPatchSet": {
                "revision": item.head,
                "ref": item.ref,
                "approvals": votes,
                "uploader": {"username": item.uploader or item.author},
            },
            "comments": [
                {"timestamp": 1_767_312_000, "reviewer": {"username": one["author"]}, "message": one["body"]}
                for one in item.comments
            ],
        }

    # GitHub

    def github(self, request: Request, path: str, query: Mapping[str, str], body: dict[str, Any]) -> Answer:  # noqa: PLR0911 - a route each
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, json.dumps({"message": "Bad credentials"})
        if path == "user":
            return 200, json.dumps({"login": LAB})
        match = re.fullmatch(r"repos/([^/]+/[^/]+)/(.*)", path)
        assert match, path
        project, rest = match.groups()
        its = [one for one in self.items if one.project == project]
        if rest == "pulls":
            found = [one for one in its if one.status == query["state"] and one.branch == query.get("base", one.branch)]
            return 200, paged([self.pull(one) for one in found], query)
        if match := re.fullmatch(r"commits/(\w+)/statuses|statuses/(\w+)", rest):
            return self.statuses(request, its, match[1] or match[2], query, body)
        if match := re.fullmatch(r"issues/comments/(\d+)", rest):
            return 200, json.dumps(self.github_comment(self.edited(int(match[1]), body["body"])))
        if match := re.fullmatch(r"collaborators/([^/]+)/permission", rest):
            permission = self.permissions.get(match[1], "write" if match[1] in self.maintainers else "read")
            return 200, json.dumps({"permission": permission, "role_name": permission})
        match = re.fullmatch(r"(?:pulls|issues)/(\d+)(/comments)?", rest)
        assert match, rest
        item = self.item(project, int(match[1]))
        if item is None:
            return 404, json.dumps({"message": "Not Found"})
        if not match[2]:
            return 200, json.dumps(self.pull(item))
        if request.method == "POST":
            assert len(body["body"]) <= 65_536
            item.say(LAB, body["body"])
            return 201, json.dumps(self.github_comment(item.comments[-1]))
        return 200, paged([self.github_comment(one) for one in item.comments], query)

    def pull(self, item: Item) -> dict[str, Any]:
        return {
            "number": item.number,
            "state": "open" if item.status == "open" else "closed",
            "merged_at": "2026-01-03T00:00:00Z" if item.status == "merged" else None,
            "draft": item.is_draft,
            "title": item.text.partition("\n")[0],
            "body": item.text.partition("\n")[2] or None,
            "user": {"login": item.author} if item.author else None,
            "author_association": ASSOCIATIONS[item.author in self.maintainers],
            "head": {"sha": item.head, "ref": "topic", "repo": None if item.is_fork else {}},
            "base": {"ref": item.branch, "repo": {"private": item.project in self.hidden}},
        }

    def github_comment(self, one: Mapping[str, Any]) -> dict[str, Any]:
        association = ASSOCIATIONS[one["author"] in self.maintainers]
        user, when = {"login": one["author"]}, one["when"]
        return {
            "id": one["id"],
            "user": user,
            "body": one["body"],
            "created_at": when,
            "author_association": association,
        }

    def edited(self, number: int, text: str) -> dict[str, Any]:
        one = next(one for item in self.items for one in item.comments if one["id"] == number)
        assert one["author"] == LAB
        one["body"] = text
        return one

    def statuses(
        self, request: Request, its: list[Item], commit: str, query: Mapping[str, str], body: dict[str, Any]
    ) -> Answer:
        is_gitlab = "private-token" in request.headers
        item = next((one for one in its if one.head == commit), None)
        if item is None or (is_gitlab and item.is_fork):
            return (
                (404, "404 Commit Not Found")
                if is_gitlab
                else (422, json.dumps({"message": "No commit found for SHA"}))
            )
        if request.method == "GET":
            return 200, paged(item.statuses[::-1], query)
        if not item.can_vote:
            return 403, json.dumps({"message": "Resource not accessible by personal access token"})
        assert len(body["description"]) <= (255 if is_gitlab else 140)
        state = body["state"]
        if is_gitlab:
            assert state in {"running", "success", "failed", "canceled"}
            assert body["ref"] == "topic"
            if item.statuses and item.statuses[-1]["status"] == state == "running":
                return 400, json.dumps({"message": "Cannot transition status via :run from :running"})
        name = {"name": body["name"], "status": state} if is_gitlab else {"context": body["context"], "state": state}
        item.statuses.append({"id": len(item.statuses) + 1, **name, "target_url": body.get("target_url")})
        return 201, json.dumps(item.statuses[-1])

    # GitLab

    def gitlab(self, request: Request, path: str, query: Mapping[str, str], body: dict[str, Any]) -> Answer:  # noqa: C901, PLR0911 - a route each
        if request.headers.get("private-token") != self.token:
            return 401, json.dumps({"message": "401 Unauthorized"})
        if path == "user":
            return 200, json.dumps({"username": LAB})
        match = re.fullmatch(r"projects/([^/]+)(?:/(.*))?", path)
        assert match, path
        project, rest = unquote(match[1]), match[2] or ""
        if not rest:
            return 200, json.dumps({"visibility": "private" if project in self.hidden else "public"})
        its = [one for one in self.items if one.project == project]
        if rest == "merge_requests":
            assert query["state"] == "opened"
            found = [
                one for one in its if one.status == "open" and one.branch == query.get("target_branch", one.branch)
            ]
            return 200, paged([self.merge_request(one) for one in found], query)
        if match := re.fullmatch(r"repository/commits/(\w+)/statuses|statuses/(\w+)", rest):
            return self.statuses(request, its, match[1] or match[2], query, body)
        if match := re.fullmatch(r"members/all/(\d+)", rest):
            level = next((30 for name in self.maintainers if user_id(name) == int(match[1])), 0)
            return (200, json.dumps({"access_level": level})) if level else (404, "404 Not found")
        match = re.fullmatch(r"merge_requests/(\d+)(?:/notes(?:/(\d+))?)?", rest)
        assert match, rest
        item = self.item(project, int(match[1]))
        if item is None:
            return 404, json.dumps({"message": "404 Not found"})
        if not rest.partition("/notes")[1]:
            return 200, json.dumps(self.merge_request(item))
        if request.method == "PUT":
            return 200, json.dumps(note(self.edited(int(match[2]), body["body"])))
        if request.method == "POST":
            item.say(LAB, body["body"])
            return 201, json.dumps(note(item.comments[-1]))
        return 200, paged([{"system": True}, *map(note, item.comments)], query)

    def merge_request(self, item: Item) -> dict[str, Any]:
        return {
            "iid": item.number,
            "state": {"open": "opened"}.get(item.status, item.status),
            "draft": item.is_draft,
            "title": item.text.partition("\n")[0],
            "description": item.text.partition("\n")[2] or None,
            "author": {"username": item.author, "id": user_id(item.author)},
            "sha": item.head,
            "source_branch": "topic",
            "target_branch": item.branch,
            "source_project_id": 2 if item.is_fork else 1,
            "target_project_id": 1,
            "head_pipeline": None,
        }


def served(path: Path) -> Answer:
    """Return a file as the answer to a request."""
    if not path.is_file():
        return 404, "no such file"

    def send(handler: BaseHTTPRequestHandler) -> None:
        data = path.read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


def user_id(name: str) -> int:
    return sum(map(ord, name))


def note(one: Mapping[str, Any]) -> dict[str, Any]:
    author = {"username": one["author"], "id": user_id(one["author"])}
    return {"id": one["id"], "author": author, "body": one["body"], "created_at": one["when"], "system": False}


def guarded(data: Any) -> str:
    return f")]}}'\n{json.dumps(data)}"


def paged(found: list[Any], query: Mapping[str, str]) -> str:
    size, page = int(query["per_page"]), int(query["page"])
    return json.dumps(found[(page - 1) * size : page * size])


def install_ssh(home: Path, port: int) -> Path:
    """Install an `ssh` that hands commands to the double; return its directory, for PATH."""
    program = home / "bin" / "ssh"
    program.parent.mkdir(exist_ok=True)
    program.write_text(SSH.format(python=sys.executable, port=port))
    program.chmod(0o755)
    return program.parent
