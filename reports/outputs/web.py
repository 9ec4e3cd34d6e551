"""HTTP as outputs send it: one request, once, no redirect followed; what an answer means for one delivery."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import requests
from urllib3.exceptions import MaxRetryError

from lab.base import redirects
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.jenkins import innermost
from reports.outputs.delivery import NotNow, Refused

TIMEOUT_SECONDS: Final = 60.0


def send(method: str, url: str, base: str, setting: str, **body: Any) -> requests.Response:
    """Send a request to the server whose URL ``base`` is configured at ``setting``.

    Raises InfrastructureError when the server cannot be reached, NotNow for a lost answer, ConfigurationError for a
    redirect.
    """
    try:
        answer = requests.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **body)
    except requests.exceptions.SSLError as error:
        raise InfrastructureError(f"{base}: TLS: {innermost(error)}") from None
    except requests.RequestException as error:
        kind = NotNow if _is_lost(error) else InfrastructureError
        raise kind(f"{base}: cannot be reached: {innermost(error)}") from None
    if moved := redirects.refusal(answer, base, setting):
        raise ConfigurationError(moved)
    return answer


def check(status: int, said: str) -> None:
    """Raise NotNow, Refused or InfrastructureError for a status that is no success, with the line ``said``."""
    match status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise InfrastructureError(said)
        case HTTPStatus.REQUEST_TIMEOUT:
            raise NotNow(said)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotNow(said)
        case _ if status >= HTTPStatus.BAD_REQUEST:
            raise Refused(said)


def _is_lost(error: requests.RequestException) -> bool:
    """Return whether the server was reached: what was sent may be the reason why nothing came back."""
    if isinstance(error, requests.Timeout):
        return not isinstance(error, requests.ConnectTimeout)
    is_connection = isinstance(error, requests.ConnectionError)
    return is_connection and not any(isinstance(one, MaxRetryError) for one in error.args)
