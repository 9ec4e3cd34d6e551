"""HTTP requests of outputs, sent once, without redirects; and the meaning of an answer for a delivery.

A server is not trusted: an answer is read up to a size and for a time.  The status decides whether a delivery succeeded;
only a reader of the content notices that a part of it is missing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import requests
import urllib3.exceptions
from urllib3.exceptions import MaxRetryError

from lab.base import redirects
from lab.base.errors import ConfigurationError, InfrastructureError, NotNow, Refused, Throttled
from lab.base.http_deadline import ended_after, watched
from lab.base.text import shortened
from lab.config.jenkins_failures import innermost

TIMEOUT_SECONDS: Final = 60.0  # without a byte
ANSWER_SECONDS: Final = 60.0  # for the content of an answer
MOST_BYTES: Final = 10_000_000
CHUNK: Final = 1 << 16
DAY_SECONDS: Final = 86_400.0


class RedirectedElsewhere(ConfigurationError):
    """A server redirects a request; ``is_same_server``: to another of its own pages."""

    def __init__(self, message: str, *, is_same_server: bool) -> None:
        super().__init__(message)
        self.is_same_server = is_same_server


@dataclass(frozen=True)
class Answer:
    """An answer to a request; ``missing``: why the rest of its content was not read, "" for a complete one."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes
    missing: str = ""

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def is_page(self) -> bool:
        """Whether the content is an HTML page, such as that of a login."""
        return self.text.lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype", "<html"))

    def json(self, base: str, expected: str, guard: str = "") -> Any:
        """Return the content as JSON.  Raises NotNow for a part of it, ConfigurationError for something else."""
        if self.missing:
            raise NotNow(f"{base}: the answer is incomplete: {self.missing}")
        try:
            return json.loads(self.text.removeprefix(guard))
        except (ValueError, RecursionError):
            raise ConfigurationError(f"{base}: the answer is not JSON: is this {expected}?") from None


def send(method: str, url: str, base: str, setting: str, **body: Any) -> Answer:
    """Send a request to the server whose URL ``base`` is configured at ``setting``.

    Raises InfrastructureError if the server cannot be reached, NotNow for a lost answer, RedirectedElsewhere for a redirect.
    """
    body["auth"] = body.get("auth") or _as_it_is
    try:
        with (
            ended_after(TIMEOUT_SECONDS + ANSWER_SECONDS) as watch,
            watched(requests.Session()) as session,
            session.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True, **body) as answer,
        ):
            if moved := redirects.refusal(answer, base, setting):
                is_same = redirects.location(answer).startswith(f"{base.rstrip('/')}/")
                raise RedirectedElsewhere(moved, is_same_server=is_same)
            content, missing = _content(answer)
            if watch.is_over:
                missing = f"it takes longer than {ANSWER_SECONDS:g} seconds"
            return Answer(answer.status_code, " ".join(answer.reason.split()), answer.headers, content, missing)
    except requests.exceptions.SSLError as error:
        raise InfrastructureError(f"{base}: TLS: {innermost(error)}") from None
    except requests.RequestException as error:
        kind = NotNow if _is_lost(error) else InfrastructureError
        raise kind(f"{base}: cannot be reached: {innermost(error)}") from None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the login of a request alone: without this, requests replaces it with one from ~/.netrc."""
    return request


def _content(answer: requests.Response) -> tuple[bytes, str]:
    """Return the content of an answer within the limits, and why the rest is missing."""
    late, found = time.monotonic() + ANSWER_SECONDS, bytearray()
    try:
        while chunk := answer.raw.read1(CHUNK, decode_content=True):
            found += chunk
            if len(found) > MOST_BYTES:
                return bytes(found[:MOST_BYTES]), f"it is larger than {MOST_BYTES} bytes"
            if time.monotonic() > late:
                return bytes(found), f"it takes longer than {ANSWER_SECONDS:g} seconds"
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return bytes(found), innermost(error)
    return bytes(found), ""


def check(answer: Answer, message: str, now: float) -> None:
    """Raise Throttled, NotNow or Refused for an error status, with the line ``message``; ``now`` in Unix time."""
    status = answer.status
    wait = retry_after(answer.headers, now)
    named_wait = {HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE}
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status in named_wait and wait is not None):
        raise Throttled(message, wait or 0.0)
    if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY} or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise NotNow(message)
    if status >= HTTPStatus.BAD_REQUEST:
        raise Refused(message)


def complaint(answer: Answer, base: str, call: str) -> str:
    """Return the line about an answer: its status, and what the server says, without a page's markup."""
    detail = "a page in HTML" if answer.is_page else shortened(answer.text, 160) or answer.reason
    return f"{base}: answers {answer.status} to {call}: {detail}"


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a server asks to wait, at most a day; None if it does not.

    See RFC 9110, section 10.2.3, and for ``x-ratelimit-reset`` GitHub's "Rate limits for the REST API".
    """
    text = headers.get("Retry-After", "").strip()
    if not text and headers.get("x-ratelimit-remaining", "").strip() == "0":
        reset = headers.get("x-ratelimit-reset", "").strip()
        seconds = float(reset) - now if reset.isdecimal() and len(reset) < 12 else 0.0  # noqa: PLR2004 - Unix time
    elif text.isdecimal():
        seconds = float(text[:9])
    elif text:
        try:
            moment = parsedate_to_datetime(text)
        except (OverflowError, ValueError):
            return 0.0
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    else:
        return None
    return min(max(seconds, 0.0), DAY_SECONDS)


def _is_lost(error: requests.RequestException) -> bool:
    """Return whether the request reached the server: then its content can be the reason for the lost answer."""
    if isinstance(error, requests.Timeout):
        return not isinstance(error, requests.ConnectTimeout)
    is_connection = isinstance(error, requests.ConnectionError)
    return is_connection and not any(isinstance(cause, MaxRetryError) for cause in error.args)
