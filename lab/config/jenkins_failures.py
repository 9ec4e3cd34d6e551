"""The errors of a Jenkins, and what an answer that is none of the expected ones means.

A page is no answer to a write, whatever its status: a login in front of a Jenkins answers everything with 200.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import jenkins
import requests

from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config.access import Access
from lab.config.pace import retry_after

TITLE: Final = re.compile(rb"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class JenkinsMissing(InfrastructureError):
    """The item does not exist."""


class JenkinsRefused(ConfigurationError):
    """The server refuses the content of a request."""


class JenkinsLarge(JenkinsRefused):
    """An answer is larger than allowed."""


class JenkinsForbidden(ConfigurationError):
    """The account does not have the permission."""


class JenkinsUnsure(InfrastructureError):
    """The outcome of a request is unknown; a retry can help.  ``seconds``: how long the server asks to wait."""

    seconds: float = 0.0


class JenkinsFault(JenkinsUnsure):
    """Jenkins itself fails at a request (500), so others can succeed."""


class JenkinsBusy(InfrastructureError):
    """The server refuses a request because of too many requests; ``seconds``: how long it asks to wait."""

    seconds: float = 0.0


class JenkinsSlow(InfrastructureError):
    """An answer takes too long; a retry would, too."""


class BadAnswer(ConfigurationError):
    """An answer is not what a Jenkins answers."""


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Raise BadAnswer where a block that reads an answer does not find in it what a Jenkins answers."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadAnswer(f"{where}: is not what a Jenkins answers: {type(error).__name__}: {error}") from None


def listed_only(url: str, what: str, part: str) -> InfrastructureError:
    """Return the error for something that Jenkins lists, and answers 404 for."""
    hint = "does a proxy in front of Jenkins refuse such names?"
    return InfrastructureError(f"{url}: lists the {what}, but answers 404 for its {part}", hint=hint)


def not_json(url: str) -> ConfigurationError:
    """Return the error for an answer that is not JSON."""
    return ConfigurationError(f"{url}: answers with something else than JSON", hint="is that a Jenkins? check the URL")


def refuse_page(url: str, method: str, where: str, headers: Mapping[str, str], content: bytes) -> None:
    """Raise BadAnswer for a page: Jenkins answers no call of this module with one and success."""
    if "html" in headers.get("Content-Type", "") and content.strip():
        title = TITLE.search(content)
        named = f" ({' '.join(title[1].decode('utf-8', 'replace').split())[:80]})" if title else ""
        hint = "is a login in front of this Jenkins? configure a URL and credentials that pass it"
        raise BadAnswer(f"{url}: answers {method} {where.partition('?')[0]} with a page{named}", hint=hint)


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
    if isinstance(error, requests.exceptions.ProxyError):
        hint = "HTTP_PROXY, HTTPS_PROXY and NO_PROXY name the proxy"
        return JenkinsUnsure(f"{access.url}: the proxy cannot be reached: {innermost(error)}", hint=hint)
    if isinstance(error, jenkins.TimeoutException | requests.Timeout):
        return JenkinsUnsure(f"{access.url}: did not answer within {access.timeout:g} seconds: {call}")
    return JenkinsUnsure(f"{access.url}: cannot be reached: {innermost(error)}")


def _answered(access: Access, who: str, call: str, answer: requests.Response) -> LabError:
    error: LabError
    match answer.status_code:
        case HTTPStatus.UNAUTHORIZED:
            error = ConfigurationError(f"{access.url}: refuses the credentials of {who} ({access.source})")
        case HTTPStatus.FORBIDDEN if "No valid crumb" in answer.text:
            error = JenkinsUnsure(f"{access.url}: does not take our crumb: {call}")
        case HTTPStatus.FORBIDDEN:
            error = JenkinsForbidden(f"{access.url}: {who} may not {call}", hint=_rights(access, call))
        case HTTPStatus.NOT_FOUND:
            error = JenkinsMissing(f"{access.url}: nothing there: {call}")
        case HTTPStatus.TOO_MANY_REQUESTS:
            hint = "retry later; jenkins.writes_per_second limits the writes"
            error = _later(JenkinsBusy(f"{access.url}: answers 429 to {call}: too many requests", hint=hint), answer)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            hint = "Jenkins' own log says why; is a plugin missing?"
            kind = JenkinsFault if status == HTTPStatus.INTERNAL_SERVER_ERROR else JenkinsUnsure
            error = _later(kind(f"{access.url}: answers {status} {answer.reason} to {call}", hint=hint), answer)
        case _:
            error = _refused(access, call, answer)
    return error


def _rights(access: Access, call: str) -> str:
    reading = call.startswith("GET") and call.endswith("config.xml")
    more = "; it takes Job/ExtendedRead or Job/Configure, and plan --quick takes neither" if reading else ""
    return f"credentials: {access.source}{more}"


def _later(error: JenkinsBusy | JenkinsUnsure, answer: requests.Response) -> LabError:
    error.seconds = retry_after(answer.headers.get("Retry-After", ""))
    return error


def _refused(access: Access, call: str, answer: requests.Response) -> JenkinsRefused:
    reason = " ".join((answer.headers.get("X-Error") or f"{answer.status_code} {answer.reason}").split())
    return JenkinsRefused(f"{access.url}: refuses {call}: {reason}")


def innermost(error: BaseException) -> str:
    """Return the message of an error's root cause, on one line."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())
