"""The HTTP session of python-jenkins, with a limit for the content of answers that python-jenkins reads itself.

python-jenkins reads the content of each answer that is not streamed, and of each error: answers to writes, crumbs, pages
of a proxy.  Nobody needs more of these than their beginning, so the rest of a long or a slow one is not read.
"""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final

import jenkins
import requests
import urllib3.exceptions

from lab.base.http_deadline import watched
from lab.base.redirects import is_redirect

MOST_BYTES: Final = 1 << 20
CHUNK: Final = 1 << 16
DAMAGES: Final = (EOFError, gzip.BadGzipFile, zlib.error)
"""The errors for a gzip stream that is damaged or cut."""


class BoundedJenkins(jenkins.Jenkins):  # type: ignore[misc]  # it has no types
    """A handle of python-jenkins that reads the beginning of an answer, and whose connections can be ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        watched(self._session)

    def _request(self, req: requests.Request, stream: bool | None = None) -> requests.Response:  # noqa: FBT001 - python-jenkins calls it
        req.hooks["response"].insert(0, _close_redirect)
        answer: requests.Response = super()._request(req, True)
        if not stream or answer.status_code >= HTTPStatus.BAD_REQUEST:
            _keep_beginning(answer, time.monotonic() + self.timeout)
        return answer


def _close_redirect(answer: requests.Response, **_: Any) -> None:
    if is_redirect(answer):
        answer.close()  # nobody reads its body, and requests reads it to its end before it follows


def _keep_beginning(answer: requests.Response, late: float) -> None:
    """Replace the content of an answer by its beginning.  Raises requests.ConnectionError for a broken connection."""
    content, raw = bytearray(), answer.raw
    try:
        while chunk := raw.read1(CHUNK, decode_content=True):
            content += chunk
            if len(content) > MOST_BYTES or time.monotonic() > late:
                raw.close()
                break
    except urllib3.exceptions.HTTPError as error:
        answer.close()
        raise requests.ConnectionError(error) from error
    answer.raw = BytesIO(content)


def content_reader(answer: requests.Response) -> Callable[[], bytes]:
    """Return a function that reads the next part of the content of an answer.

    urllib3 takes a gzip stream (RFC 1952) without its end for a whole one: a proxy that compresses what it gets sends such
    a stream, as if it were complete, when the connection behind it breaks.  The function raises DAMAGES for it.
    """
    if answer.headers.get("Content-Encoding", "").lower() in {"gzip", "x-gzip"}:
        return partial(gzip.GzipFile(fileobj=answer.raw).read1, CHUNK)
    return partial(answer.raw.read1, CHUNK, decode_content=True)
