"""The only access to a Jenkins, with python-jenkins: requests with a time limit, and failures as one line each.

Transient failures are retried: answers of 500 and above, broken connections, an expired crumb.  Before a retry of a
write whose answer was lost, the caller's check decides whether the write is done already.

A redirect of a write is never followed: HTTP clients turn a redirected POST into a GET, which changes nothing and
succeeds.  Jenkins redirects after some writes, and a proxy redirects to another URL (see `lab.config.jenkins_redirects`).
A redirect of a read is followed on this server alone: another one can be internal, and its answer would be published.

A request that the server refuses because of too many requests (429) is sent again when the server allows it, and the
writes of this connection slow down (see `lab.config.pace`).

An answer has a limit of bytes and of time: a server that sends a byte now and then ends no read by its own time limit.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import IO, Any
from urllib.parse import quote

import jenkins
import requests
import urllib3.exceptions

from lab.base.clock import Clock
from lab.base.errors import LabError
from lab.base.http_deadline import ended_after
from lab.base.redirects import is_redirect
from lab.config.access import Access
from lab.config.jenkins_failures import (
    BadAnswer,
    JenkinsBusy,
    JenkinsLarge,
    JenkinsMissing,
    JenkinsRefused,
    JenkinsSlow,
    JenkinsUnsure,
    failure,
    not_json,
    reading,
    refuse_page,
)
from lab.config.jenkins_redirects import Redirected, complaint, is_below, is_own, target
from lab.config.jenkins_session import DAMAGES, BoundedJenkins, content_reader
from lab.config.pace import Pace

PAUSES_SECONDS = (0.5, 2.0)
BUSY_TRIES = 6
MOST_BYTES = 50_000_000
ANSWER_SECONDS = 1800.0
IN_FRONT = "does something in front of Jenkins answer for it?"
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""The escape of a surrogate, which is no character without its other half."""
TREE = re.compile(r"[?&]tree=.*")
"""What a query asks for: too long for a message."""


@dataclass(frozen=True)
class Connection:
    """A connection to a Jenkins, for many threads; each thread has its own session, and so its own crumb."""

    access: Access
    clock: Clock = Clock()  # noqa: RUF009 - frozen
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)
    pace: Pace = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pace", Pace(self.access.writes_per_second, self.clock))

    @property
    def url(self) -> str:
        return self.access.url.rstrip("/") + "/"

    def json(self, where: str) -> dict[str, Any]:
        """Return the JSON object of an answer.  Raises BadAnswer for other JSON."""
        with BytesIO() as content:
            self.download(where, content, MOST_BYTES)
            try:
                found = _parsed(content.getvalue().decode("utf-8-sig"))
            except (ValueError, RecursionError):
                raise not_json(self.url) from None
        if not isinstance(found, dict):
            raise BadAnswer(f"{self.url}{where.partition('?')[0]}: is no JSON object")
        return found

    def lists(self, job: str) -> bool:
        """Return whether Jenkins lists a job or a folder in the folder around it, which it can list and not answer for.

        A 404 alone does not prove that something was deleted: a proxy answers so to names that it does not like, and a
        Jenkins while it loads.  Raises JenkinsMissing if the Jenkins itself is not there.
        """
        folder, _, name = job.rpartition("/")
        try:
            found = self.json(f"{job_path(folder)}api/json?tree=jobs[name]")
        except JenkinsMissing:
            if folder:
                return self.lists(folder)
            raise
        with reading(self.url):
            return any(one["name"] == name for one in found["jobs"])

    def content(self, where: str) -> bytes:
        """Return a resource that is no page, with retries.  Raises Redirected for a redirect to another server."""
        with BytesIO() as content:
            headers = self.download(where, content, MOST_BYTES)
            refuse_page(self.url, "GET", where, headers, content.getvalue())
            return content.getvalue()

    def download(self, where: str, into: IO[bytes], most: int) -> Mapping[str, str]:
        """Append a resource to an open file and return the headers.  Raises JenkinsLarge beyond ``most`` bytes."""
        start = into.tell()
        for pause in (*PAUSES_SECONDS, None):
            try:
                return self._copy(where, into, most)
            except JenkinsUnsure:
                into.seek(start)
                into.truncate()
                if pause is None:
                    raise
                self.clock.sleep(pause)
        raise AssertionError  # the last try returns or raises

    def _copy(self, where: str, into: IO[bytes], most: int) -> Mapping[str, str]:
        with ended_after(ANSWER_SECONDS) as watch:
            try:
                headers = self._read(where, into, most)
            except LabError:
                if watch.is_over:
                    raise self._slow(where) from None
                raise
            if watch.is_over:
                raise self._slow(where)
            return headers

    def _slow(self, where: str) -> JenkinsSlow:
        return JenkinsSlow(f"{self.url}{TREE.sub('', where)}: takes longer than {ANSWER_SECONDS:g} seconds")

    def _read(self, where: str, into: IO[bytes], most: int) -> Mapping[str, str]:
        size, late = 0, self.clock.monotonic() + ANSWER_SECONDS
        with self.send("GET", where, stream=True) as answer:
            if answer.status_code != HTTPStatus.OK:  # nothing, a part, or no status at all
                raise BadAnswer(
                    f"{self.url}{TREE.sub('', where)}: answers with the status {answer.status_code}", hint=IN_FRONT
                )
            read = content_reader(answer)
            try:
                while chunk := read():
                    size += len(chunk)
                    if size > most:
                        raise JenkinsLarge(f"{self.url}{TREE.sub('', where)}: is larger than {most} bytes")
                    if self.clock.monotonic() > late:
                        raise self._slow(where)
                    into.write(chunk)
            except (urllib3.exceptions.HTTPError, *DAMAGES) as error:
                raise failure(self.access, f"GET {TREE.sub('', where)}", requests.ConnectionError(error)) from error
            return answer.headers

    def write(self, where: str, *, done: Callable[[], bool], expected: int = 0, **body: Any) -> None:
        """Send a request that changes something; ``done`` returns whether the change exists, for an answer that was lost.

        A redirect is a success only when ``done`` returns true, and so is another status than the ``expected`` one, where
        Jenkins has one for this request.  ``body``: data, files and headers, as of `requests.Request`.
        """
        for pause in (*PAUSES_SECONDS, None):
            try:
                answer = self.send("POST", where, **body)
                proves = not is_redirect(answer) and expected in {0, answer.status_code}
                if not (proves or done()):
                    raise self.unproved(where, answer)
                return
            except Redirected:
                if self._is_proved(done):
                    return
                raise
            except JenkinsUnsure:
                if done():
                    return
                if pause is None:
                    raise
                self.clock.sleep(pause)
            except (JenkinsMissing, JenkinsRefused):
                # An earlier attempt of this call can be the cause.
                if pause != PAUSES_SECONDS[0] and done():
                    return
                raise

    def unproved(self, where: str, answer: requests.Response) -> LabError:
        """Return the error for an answer of success that nothing stands behind."""
        if is_redirect(answer):
            return complaint(self.url, answer)
        said = f"{self.url}: answers POST {where} with {answer.status_code}, and did not do it"
        return BadAnswer(said, hint=IN_FRONT)

    @staticmethod
    def _is_proved(done: Callable[[], bool]) -> bool:
        """Return whether the work is proved to be done; a failed check proves nothing."""
        try:
            return done()
        except LabError:
            return False

    def send(self, method: str, where: str, *, stream: bool = False, **body: Any) -> requests.Response:
        """Send one request; only a request that the server refused as one too many is sent again.

        The redirect that Jenkins sends after a write is an ordinary answer, and is not followed.
        Raises the errors of this module, Redirected and others of `lab.base.errors`.
        """
        for _ in range(BUSY_TRIES):
            try:
                return self._paced(method, where, stream=stream, **body)
            except JenkinsBusy:
                continue
        return self._paced(method, where, stream=stream, **body)

    def _paced(self, method: str, where: str, *, stream: bool, **body: Any) -> requests.Response:
        """Send one request, once, when the pace allows it."""
        self.pace.wait(write=method == "POST")
        begun = self.clock.monotonic()
        try:
            answer = self._once(method, where, stream=stream, **body)
        except (JenkinsBusy, JenkinsUnsure) as error:
            if isinstance(error, JenkinsBusy) or error.seconds:
                self.pace.slow_down(begun, error.seconds)
            raise
        if not stream:
            refuse_page(self.url, method, where, answer.headers, answer.content)
        if method == "POST":
            self.pace.answered(begun)
        return answer

    def _once(self, method: str, where: str, *, stream: bool, **body: Any) -> requests.Response:
        location = ""

        def judge(answer: requests.Response, **_: Any) -> None:
            nonlocal location
            if is_redirect(answer):
                refuse_foreign(self.url, where, answer, write=method == "POST")
            if is_redirect(answer) and method == "POST":
                location = answer.headers.pop("Location")  # without it, requests does not follow

        request = requests.Request(method, f"{self.url}{where}", hooks={"response": judge}, **body)
        try:
            answer: requests.Response = self._handle().jenkins_request(
                request, add_crumb=method == "POST", stream=stream
            )
        except (jenkins.JenkinsException, requests.RequestException) as error:
            found = failure(self.access, f"{method} {TREE.sub('', where)}", error)
            if isinstance(found, JenkinsUnsure):
                self._local.__dict__.clear()  # another session next time, and so another crumb
            raise found from error
        except (KeyError, TypeError, ValueError):  # of the crumb
            raise not_json(self.url) from None
        if location:
            answer.headers["Location"] = location
        return answer

    def _handle(self) -> BoundedJenkins:
        if not hasattr(self._local, "handle"):
            access = self.access
            self._local.handle = BoundedJenkins(self.url, access.user, access.password, timeout=access.timeout)
        handle: BoundedJenkins = self._local.handle
        return handle


def _parsed(text: str) -> Any:
    """Return JSON, each surrogate without its other half replaced: no file name, database or page takes one."""
    found = json.loads(text)
    if HALF_CHARACTER.search(text):
        whole = json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        found = json.loads(whole)
    return found


def job_path(name: str) -> str:
    """Return the URL path of a job or a folder, with its final slash; empty for the top level."""
    return "".join(f"job/{quote(part, safe='')}/" for part in name.split("/") if part)


def refuse_foreign(url: str, where: str, answer: requests.Response, *, write: bool) -> None:
    """Raise Redirected for a redirect that is not Jenkins' own after a write, or that leaves this server."""
    if not (is_own(url, where, answer) if write else is_below(url, target(answer))):
        raise complaint(url, answer)
