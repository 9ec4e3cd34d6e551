"""The only access to a Jenkins, with python-jenkins: requests with a time limit, and failures as one line each.

Transient failures are retried: answers of 500 and above, broken connections, an expired crumb.  Before a retry of a
write whose answer was lost, the caller's check decides whether the write is done already.

A redirect of a write is never followed: HTTP clients turn a redirected POST into a GET, which changes nothing and
succeeds.  Jenkins redirects after some writes, and a proxy redirects to another URL (see `lab.config.jenkins_redirects`).
A redirect of a read is followed on this server alone: another one can be internal, and its answer would be published.

An answer has a limit of bytes and of time: a server that sends a byte now and then ends no read by its own time limit.
"""

from __future__ import annotations

import json
import threading
import time
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
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.redirects import is_redirect
from lab.config.access import Access
from lab.config.jenkins_redirects import Redirected, complaint, is_below, is_own, target

PAUSES_SECONDS = (0.5, 2.0)
CHUNK = 1 << 16
MOST_JSON_BYTES = 50_000_000
ANSWER_SECONDS = 1800.0


class JenkinsMissing(InfrastructureError):
    """The item does not exist."""


class JenkinsRefused(ConfigurationError):
    """The server refuses the content of a request."""


class JenkinsForbidden(ConfigurationError):
    """The account does not have the permission."""


class JenkinsUnsure(InfrastructureError):
    """The outcome of a request is unknown; a retry can help."""


class JenkinsSlow(InfrastructureError):
    """An answer takes too long; a retry would, too."""


class BadAnswer(ConfigurationError):
    """An answer is not what a Jenkins answers."""


@dataclass(frozen=True)
class Connection:
    """A connection to a Jenkins, for many threads; each thread has its own session, and so its own crumb."""

    access: Access
    clock: Clock = Clock()  # noqa: RUF009 - frozen
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    @property
    def url(self) -> str:
        return self.access.url.rstrip("/") + "/"

    def json(self, where: str) -> dict[str, Any]:
        """Return the JSON object of an answer.  Raises BadAnswer for other JSON."""
        with BytesIO() as content:
            self.download(where, content, MOST_JSON_BYTES)
            try:
                found = json.loads(content.getvalue())
            except (ValueError, RecursionError):
                hint = "is that a Jenkins? check the URL"
                raise ConfigurationError(f"{self.url}: answers with something else than JSON", hint=hint) from None
        if not isinstance(found, dict):
            raise BadAnswer(f"{self.url}{where.partition('?')[0]}: is no JSON object")
        return found

    def get(self, where: str) -> requests.Response:
        """Send a request that changes nothing, with retries.  Raises Redirected for a redirect to another server."""
        for pause in PAUSES_SECONDS:
            try:
                return self.send("GET", where)
            except JenkinsUnsure:
                time.sleep(pause)
        return self.send("GET", where)

    def download(self, where: str, into: IO[bytes], most: int) -> Mapping[str, str]:
        """Append a resource to an open file and return the headers.  Raises JenkinsRefused beyond ``most`` bytes."""
        start = into.tell()
        for pause in (*PAUSES_SECONDS, None):
            try:
                return self._copy(where, into, most)
            except JenkinsUnsure:
                into.seek(start)
                into.truncate()
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError  # the last try returns or raises

    def _copy(self, where: str, into: IO[bytes], most: int) -> Mapping[str, str]:
        size, late = 0, self.clock.monotonic() + ANSWER_SECONDS
        with self.send("GET", where, stream=True) as answer:
            try:
                while chunk := answer.raw.read1(CHUNK, decode_content=True):
                    size += len(chunk)
                    if size > most:
                        raise JenkinsRefused(f"{self.url}{where}: is larger than {most} bytes")
                    if self.clock.monotonic() > late:
                        raise JenkinsSlow(f"{self.url}{where}: takes longer than {ANSWER_SECONDS:g} seconds")
                    into.write(chunk)
            except urllib3.exceptions.HTTPError as error:
                raise failure(self.access, f"GET {where}", requests.ConnectionError(error)) from error
            return answer.headers

    def write(self, where: str, *, done: Callable[[], bool], **body: Any) -> None:
        """Send a request that changes something; ``done`` returns whether the change exists, for an answer that was lost.

        A redirect is a success only when ``done`` returns true.  ``body``: data, files and headers, as of `requests.Request`.
        """
        for pause in (*PAUSES_SECONDS, None):
            try:
                answer = self.send("POST", where, **body)
                if is_redirect(answer) and not done():
                    raise complaint(self.url, answer)
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
                time.sleep(pause)
            except (JenkinsMissing, JenkinsRefused):
                # An earlier attempt of this call can be the cause.
                if pause != PAUSES_SECONDS[0] and done():
                    return
                raise

    @staticmethod
    def _is_proved(done: Callable[[], bool]) -> bool:
        """Return whether the work is proved to be done; a failed check proves nothing."""
        try:
            return done()
        except LabError:
            return False

    def send(self, method: str, where: str, *, stream: bool = False, **body: Any) -> requests.Response:
        """Send one request, once.  Raises the errors of this module, Redirected and others of `lab.base.errors`.

        The redirect that Jenkins sends after a write is an ordinary answer, and is not followed.
        """
        location = ""

        def judge(answer: requests.Response, **_: Any) -> None:
            nonlocal location
            if not is_redirect(answer):
                return
            answer.close()  # nobody reads its body
            if method == "POST":
                if not is_own(self.url, where, answer):
                    raise complaint(self.url, answer)
                location = answer.headers.pop("Location")  # without it, requests does not follow
            elif not is_below(self.url, target(answer)):
                raise complaint(self.url, answer)

        request = requests.Request(method, f"{self.url}{where}", hooks={"response": judge}, **body)
        try:
            answer: requests.Response = self._handle().jenkins_request(
                request, add_crumb=method == "POST", stream=stream
            )
        except (jenkins.JenkinsException, requests.RequestException) as error:
            found = failure(self.access, f"{method} {where}", error)
            if isinstance(found, JenkinsUnsure):
                self._local.__dict__.clear()  # another session next time, and so another crumb
            raise found from error
        if location:
            answer.headers["Location"] = location
        return answer

    def _handle(self) -> jenkins.Jenkins:
        if not hasattr(self._local, "handle"):
            access = self.access
            self._local.handle = jenkins.Jenkins(self.url, access.user, access.password, timeout=access.timeout)
        handle: jenkins.Jenkins = self._local.handle
        return handle


def job_path(name: str) -> str:
    """Return the URL path of a job or a folder, with its final slash; empty for the top level."""
    return "".join(f"job/{quote(part, safe='')}/" for part in name.split("/") if part)


def failure(access: Access, call: str, error: Exception) -> LabError:
    """Return the error of a call that python-jenkins reports."""
    who = access.user or "anonymous"
    cause = error if isinstance(error, requests.HTTPError) else error.__context__
    if isinstance(cause, requests.HTTPError) and cause.response is not None:
        with cause.response as answer:  # closed: it may have been streamed
            return _answered(access, who, call, answer)
    if isinstance(error, requests.exceptions.SSLError):
        hint = "REQUESTS_CA_BUNDLE names the authority to trust"
        return InfrastructureError(f"{access.url}: TLS: {innermost(error)}", hint=hint)
    if isinstance(error, jenkins.TimeoutException | requests.Timeout):
        return JenkinsUnsure(f"{access.url}: did not answer within {access.timeout:g} seconds: {call}")
    return JenkinsUnsure(f"{access.url}: cannot be reached: {innermost(error)}")


def _answered(access: Access, who: str, call: str, answer: requests.Response) -> LabError:
    match answer.status_code:
        case HTTPStatus.UNAUTHORIZED:
            return ConfigurationError(f"{access.url}: refuses the credentials of {who} ({access.source})")
        case HTTPStatus.FORBIDDEN if "No valid crumb" in answer.text:
            return JenkinsUnsure(f"{access.url}: does not take our crumb: {call}")
        case HTTPStatus.FORBIDDEN:
            return JenkinsForbidden(f"{access.url}: {who} may not {call}", hint=f"credentials: {access.source}")
        case HTTPStatus.NOT_FOUND:
            return JenkinsMissing(f"{access.url}: nothing there: {call}")
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            hint = "Jenkins' own log says why; is a plugin missing?"
            return JenkinsUnsure(f"{access.url}: answers {status} {answer.reason} to {call}", hint=hint)
    reason = " ".join((answer.headers.get("X-Error") or f"{answer.status_code} {answer.reason}").split())
    return JenkinsRefused(f"{access.url}: refuses {call}: {reason}")


def innermost(error: BaseException) -> str:
    """Return the message of an error's root cause, on one line."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())
