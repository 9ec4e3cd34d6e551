"""Redirects of requests that change something: never a success.

An HTTP client may turn a POST into a GET at a 301 or 302 (RFC 9110, sections 15.4.2 and 15.4.3), so the answer after
a redirect proves nothing about the POST.  Send with ``allow_redirects=False`` and ask `refusal` of each answer.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import requests


def location(answer: requests.Response) -> str:
    """Return the URL that a request was redirected to first, "" for none; also where the client has followed it."""
    first = answer.history[0] if answer.history else answer
    where = " ".join(first.headers.get("Location", "").split())
    return urljoin(first.url, where) if is_redirect(first) and where else ""


def refusal(answer: requests.Response, base: str, setting: str, *, inside: bool = False) -> str:
    """Return why a redirected request is a failure, in one line; "" for an answer that is no redirect.

    ``base``: the URL of the server as configured at ``setting``.  ``inside``: the server itself answers this request
    with a redirect to another page below ``base`` once the work is done (Jenkins after doDelete or configSubmit).
    """
    first = answer.history[0] if answer.history else answer
    if not is_redirect(first):
        return ""
    where, method = location(answer), first.request.method
    if not where:
        return f"{base}: answers {first.status_code} {first.reason} to {method}, without a location"
    requested = first.url.removeprefix(base.rstrip("/"))
    path = urlsplit(requested).path
    if inside and where.startswith(f"{base.rstrip('/')}/") and urlsplit(where).path != urlsplit(first.url).path:
        return ""
    moved = where.removesuffix(requested) if path.strip("/") and where.endswith(requested) else where
    return f"{base}: redirects {method} to {where}, which is not followed: is {setting} now {moved}?"


def is_redirect(answer: requests.Response) -> bool:
    """Return whether an answer sends its request elsewhere."""
    is_other = answer.status_code in {HTTPStatus.NOT_MODIFIED, HTTPStatus.USE_PROXY}
    return HTTPStatus.MULTIPLE_CHOICES <= answer.status_code < HTTPStatus.BAD_REQUEST and not is_other
