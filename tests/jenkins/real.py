"""A real Jenkins in the place of the double: what passes against the one is to pass against the other.

``QALAB_TEST_JENKINS`` names it, ``http://USER:TOKEN@HOST:PORT/``; it must be empty, because tests delete all
that it holds.  Requests go through a server of our own, which notes them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlsplit

import requests

from tests.jenkins.double import Logged
from tests.jenkins.server import Answer, Request, Server
from tests.jenkins.shapes import FOLDER

PATIENCE_SECONDS = 120.0
# Of the connection to us, not of the answer.
HOP_BY_HOP = {"connection", "content-length", "content-encoding", "transfer-encoding", "keep-alive"}


@dataclass(frozen=True)
class Ran:
    """A build that ran."""

    number: int
    result: str


class Real:
    """The same handles as `tests.jenkins.double.Double`, as far as a real Jenkins has them."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.credentials = (parts.username or "", parts.password or "")
        self.there = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/") + "/"
        self.requests: list[Logged] = []
        self._session = requests.Session()
        self._session.auth = self.credentials

    def __enter__(self) -> Self:
        if self.jobs() or self.views():
            raise RuntimeError(f"{self.there} is not empty; tests delete all that they find")
        self._server = Server(self._forward)
        self.url = f"http://127.0.0.1:{self._server.port}/"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self.wipe()
        self._session.close()

    def _forward(self, request: Request) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name not in {"host", *HOP_BY_HOP}}
        answer = requests.request(request.method, self.there + request.target.lstrip("/"), headers=headers,
                                  data=request.body or None, allow_redirects=False, timeout=PATIENCE_SECONDS)  # fmt: skip
        changed = request.method == "POST" and answer.status_code < 400
        self.requests.append(Logged(request.method, request.target, self.credentials[0], answer.status_code, changed))
        kept = {
            name: value for name, value in answer.headers.items() if name.lower() not in {"content-type", *HOP_BY_HOP}
        }
        if "Location" in kept:
            kept["Location"] = kept["Location"].replace(self.there, self.url)
        return Answer(answer.status_code, answer.content, answer.headers.get("Content-Type", ""), kept)

    def writes(self) -> list[Logged]:
        return [request for request in self.requests if request.changed]

    def jobs(self) -> list[str]:
        return [name for kind, name in self._tree() if kind == "job"]

    def views(self) -> list[str]:
        return [name for kind, name in self._tree() if kind == "view"]

    def config(self, name: str) -> str:
        return self._get(f"{_path(name)}config.xml").content.decode()

    def view_config(self, name: str) -> str:
        return self._get(f"{_path(name, 'view')}config.xml").content.decode()

    def build(self, job: str, number: int) -> Ran:
        found = self._get(f"{_path(job)}{number}/api/json?tree=number,result").json()
        return Ran(found["number"], found["result"])

    def create(self, name: str, xml: str) -> None:
        folder, _, short = name.rpartition("/")
        self._post(f"{_path(folder)}createItem?name={quote(short, safe='')}", xml)

    def resave(self, name: str) -> None:
        """Have Jenkins save an item: a job by setting its description to what it is, a folder by sending its own XML.

        The form of a folder may belong to the view that it shows first.
        """
        if f"<{FOLDER}" in (xml := self.config(name)):
            self._post(f"{_path(name)}config.xml", xml)
            return
        said = self._get(f"{_path(name)}api/json?tree=description").json()["description"] or ""
        self._post(f"{_path(name)}submitDescription", data={"description": said, "Submit": ""})

    def resave_all(self) -> None:
        for name in self.jobs():
            self.resave(name)

    def edit(self, name: str, old: str, new: str) -> None:
        xml = self.config(name)
        if old not in xml:
            raise ValueError(f"{name}: {old!r} is not in its config.xml")
        self._post(f"{_path(name)}config.xml", xml.replace(old, new))
        self.resave(name)

    def add_build(self, job: str, **_: Any) -> Ran:
        """Build it; whatever comes of that."""
        before = self._get(f"{_path(job)}api/json?tree=nextBuildNumber").json()["nextBuildNumber"]
        self._post(f"{_path(job)}build?delay=0sec")
        last = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < last:
            found = self._session.get(
                f"{self.there}{_path(job)}{before}/api/json?tree=result", timeout=PATIENCE_SECONDS
            )
            if found.ok and found.json()["result"]:
                return Ran(before, found.json()["result"])
            time.sleep(0.2)
        raise TimeoutError(f"{job} {before} did not end")

    def wipe(self) -> None:
        for kind, name in reversed(self._tree()):
            self._session_post(f"{_path(name, kind)}doDelete")

    def _tree(self, folder: str = "") -> list[tuple[str, str]]:
        found = self._get(f"{_path(folder)}api/json?tree=jobs[name],views[name]").json()
        names = [("view", view["name"]) for view in found.get("views", ()) if view["name"].lower() != "all"]
        prefix = f"{folder}/" if folder else ""
        result = [(kind, prefix + name) for kind, name in names]
        for job in found.get("jobs", ()):
            result += [("job", prefix + job["name"]), *self._tree(prefix + job["name"])]
        return result

    def _get(self, path: str) -> requests.Response:
        answer = self._session.get(self.there + path, timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        return answer

    def _post(self, path: str, xml: str = "", data: dict[str, str] | None = None) -> None:
        self._session_post(path, xml, data).raise_for_status()

    def _session_post(self, path: str, xml: str = "", data: dict[str, str] | None = None) -> requests.Response:
        issued = self._session.get(f"{self.there}crumbIssuer/api/json", timeout=PATIENCE_SECONDS)
        headers = {issued.json()["crumbRequestField"]: issued.json()["crumb"]} if issued.ok else {}
        headers |= {"Content-Type": "text/xml; charset=utf-8"} if xml else {}
        return self._session.post(self.there + path, data=data or xml.encode() or None, headers=headers,
                                  timeout=PATIENCE_SECONDS, allow_redirects=False)  # fmt: skip


def _path(name: str, kind: str = "job") -> str:
    *folders, last = name.split("/")
    parts = [f"job/{quote(folder, safe='')}/" for folder in folders] + (
        [f"{kind}/{quote(last, safe='')}/"] if last else []
    )
    return "".join(parts)
