"""The one door to a Jenkins, by python-jenkins: each call is a request or two, with a time limit.

What may be better in a moment is tried again: answers of 500 and above, broken connections, an expired
crumb.  A write whose answer was lost is first looked for: what is as it should be is not done twice.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import jenkins
import requests

from generator import mark
from generator.access import Access
from generator.canonical import digest
from generator.items import Key
from lab.errors import ConfigurationError, InfrastructureError, LabError

PAUSES_SECONDS = (0.5, 2.0)
DEPTH = 4  # levels of folders in one request
FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
ALL_VIEW = "hudson.model.AllView"
XML_TYPE = {"Content-Type": "text/xml; charset=utf-8"}


@dataclass(frozen=True)
class Entry:
    """What Jenkins' listing says of a job or a view; ``kind`` is its Java class."""

    key: Key
    kind: str
    description: str


class Missing(InfrastructureError):
    """There is no such item."""


class Refused(ConfigurationError):
    """The server understood, and does not take it."""


class Forbidden(ConfigurationError):
    """This account may not do that."""


class Unsure(InfrastructureError):
    """It may have been done, and it may not; trying again may help."""


@dataclass(frozen=True)
class Server:
    """A Jenkins, for many threads: each has a session, and so a crumb, of its own."""

    access: Access
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    @property
    def url(self) -> str:
        return self.access.url.rstrip("/") + "/"

    # Reading

    def listing(self) -> dict[Key, Entry]:
        """All jobs, folders and views (but those that show everything), in as few requests as can be."""
        return dict(self._list("", ""))

    def plugins(self) -> dict[str, str]:
        """The versions of the active plugins by their short names."""
        found = self._json("pluginManager/api/json?depth=1&tree=plugins[shortName,version,active]")
        return {plugin["shortName"]: plugin["version"] for plugin in found["plugins"] if plugin["active"]}

    def config(self, key: Key) -> bytes:
        """An item's config.xml, byte for byte.  Raises Missing."""
        return self._call("GET", f"{path(key)}config.xml").content

    # Writing

    def create(self, key: Key, xml: bytes) -> None:
        """Make an item.  Raises Refused when there is one of that name, or Jenkins does not take the XML."""
        call = "createItem" if key.kind == "job" else "createView"
        short = quote(key.name.rpartition("/")[2], safe="")
        self._write(f"{folder_path(key.folder)}{call}?name={short}", xml, done=lambda: self._is(key, xml))

    def update(self, key: Key, xml: bytes) -> None:
        """Change an item.  Raises Missing, and Refused when Jenkins does not take the XML."""
        self._write(f"{path(key)}config.xml", xml, done=lambda: self._is(key, xml))

    def rename(self, key: Key, name: str) -> None:
        """Give a job another name in its folder; its builds stay with it.  Raises Missing, Refused."""
        new = Key(key.kind, f"{key.folder}/{name}".lstrip("/"))
        self._write(f"{path(key)}doRename?newName={quote(name, safe='')}", None,
                    done=lambda: self._exists(new) and not self._exists(key))  # fmt: skip

    def delete(self, key: Key) -> None:
        """Delete an item, a folder with all that is in it.  Raises Missing."""
        self._write(f"{path(key)}doDelete", None, done=lambda: not self._exists(key))

    # How

    def _list(self, folder: str, prefix: str) -> Iterator[tuple[Key, Entry]]:
        inner = "name,description"
        for _ in range(DEPTH):
            inner = f"name,description,jobs[{inner}],views[name,description]"
        found = self._json(f"{folder_path(folder)}api/json?tree={inner.removeprefix('name,description,')}")
        yield from self._entries(found, prefix, DEPTH)

    def _entries(self, node: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[Key, Entry]]:
        for view in node.get("views") or ():
            if view.get("_class") != ALL_VIEW:
                key = Key("view", prefix + view["name"])
                yield key, Entry(key, view.get("_class", ""), view.get("description") or "")
        for job in node.get("jobs") or ():
            key, kind = Key("job", prefix + job["name"]), job.get("_class", "")
            yield key, Entry(key, kind, job.get("description") or "")
            # What a multi-branch project or an organisation folder holds, it makes itself.
            if kind == FOLDER and depth > 1:
                yield from self._entries(job, f"{key.name}/", depth - 1)
            elif kind == FOLDER:
                yield from self._list(key.name, f"{key.name}/")

    def _json(self, where: str) -> dict[str, Any]:
        answer = self._call("GET", where)
        try:
            return dict(json.loads(answer.text))
        except ValueError:
            hint = "is that a Jenkins? check the URL"
            raise ConfigurationError(f"{self.url}: answers with something else than JSON", hint=hint) from None

    def _exists(self, key: Key) -> bool:
        try:
            self.config(key)
        except Missing:
            return False
        return True

    def _is(self, key: Key, xml: bytes) -> bool:
        """Whether an item is what it should be, the mark included."""
        try:
            there = self.config(key)
        except Missing:
            return False
        return digest(there) == digest(xml) and mark.read(there) == mark.read(xml)

    def _call(self, method: str, where: str) -> requests.Response:
        """A request that changes nothing."""
        for pause in PAUSES_SECONDS:
            try:
                return self._send(method, where)
            except Unsure:
                time.sleep(pause)
        return self._send(method, where)

    def _write(self, where: str, xml: bytes | None, *, done: Callable[[], bool]) -> None:
        """A request that changes something; ``done`` tells whether an answer was lost and the work was not."""
        for pause in (*PAUSES_SECONDS, None):
            try:
                self._send("POST", where, xml)
                return
            except Unsure:
                if done():
                    return
                if pause is None:
                    raise
                time.sleep(pause)
            except (Missing, Refused):
                # It may be our own earlier try that stands in the way.
                if pause != PAUSES_SECONDS[0] and done():
                    return
                raise

    def _send(self, method: str, where: str, xml: bytes | None = None) -> requests.Response:
        headers = XML_TYPE if xml is not None else {}
        request = requests.Request(method, f"{self.url}{where}", data=xml, headers=dict(headers))
        try:
            answer: requests.Response = self._handle().jenkins_request(request, add_crumb=method == "POST")
            return answer
        except (jenkins.JenkinsException, requests.RequestException) as error:
            found = failure(self.access, f"{method} {where}", error)
            if isinstance(found, Unsure):
                self._local.__dict__.clear()  # another session next time, and so another crumb
            raise found from error

    def _handle(self) -> jenkins.Jenkins:
        if not hasattr(self._local, "handle"):
            access = self.access
            self._local.handle = jenkins.Jenkins(self.url, access.user, access.password, timeout=access.timeout)
        handle: jenkins.Jenkins = self._local.handle
        return handle


def folder_path(folder: str) -> str:
    """The path of a folder's URL, with its last slash; empty for the top."""
    return "".join(f"job/{quote(name, safe='')}/" for name in folder.split("/") if name)


def path(key: Key) -> str:
    """The path of an item's URL, with its last slash."""
    return f"{folder_path(key.folder)}{key.kind}/{quote(key.name.rpartition('/')[2], safe='')}/"


def failure(access: Access, call: str, error: Exception) -> LabError:
    """What went wrong in a call, as python-jenkins tells it."""
    who = access.user or "anonymous"
    cause = error if isinstance(error, requests.HTTPError) else error.__context__
    if isinstance(cause, requests.HTTPError) and cause.response is not None:
        return _answered(access, who, call, cause.response)
    if isinstance(error, requests.exceptions.SSLError):
        hint = "REQUESTS_CA_BUNDLE names the authority to trust"
        return InfrastructureError(f"{access.url}: TLS: {_innermost(error)}", hint=hint)
    if isinstance(error, jenkins.TimeoutException | requests.Timeout):
        return Unsure(f"{access.url}: did not answer within {access.timeout:g} seconds: {call}")
    return Unsure(f"{access.url}: cannot be reached: {_innermost(error)}")


def _answered(access: Access, who: str, call: str, answer: requests.Response) -> LabError:
    match answer.status_code:
        case HTTPStatus.UNAUTHORIZED:
            return ConfigurationError(f"{access.url}: refuses the credentials of {who} ({access.source})")
        case HTTPStatus.FORBIDDEN if "No valid crumb" in answer.text:
            return Unsure(f"{access.url}: does not take our crumb: {call}")
        case HTTPStatus.FORBIDDEN:
            return Forbidden(f"{access.url}: {who} may not {call}", hint=f"credentials: {access.source}")
        case HTTPStatus.NOT_FOUND:
            return Missing(f"{access.url}: nothing there: {call}")
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            hint = "Jenkins' own log says why; is a plugin missing?"
            return Unsure(f"{access.url}: answers {status} {answer.reason} to {call}", hint=hint)
    said = " ".join((answer.headers.get("X-Error") or f"{answer.status_code} {answer.reason}").split())
    return Refused(f"{access.url}: refuses {call}: {said}")


def _innermost(error: BaseException) -> str:
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())
