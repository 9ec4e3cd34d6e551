"""HTTP requests of outputs, sent once, without redirects; and the meaning of an answer for a delivery."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import requests
from urllib3.exceptions import MaxRetryError

from lab.base import redirects
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.jenkins_failures import innermost
from reports.outputs.delivery import NotNow, Refused

TIMEOUT_SECONDS: Final = 60.0


def send(method: str, url: str, base: str, setting: str, **body: Any) -> requests.Response:
    """Send a request to the server whose URL ``base`` is configured at ``setting``.

    Raises InfrastructureError if the server cannot be reached, NotNow for a lost answer, ConfigurationError for a
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


def check(status: int, message: str) -> None:
    """Raise NotNow, Refused or InfrastructureError for an error status, with the line ``message``."""
    match status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise InfrastructureError(message)
        case HTTPStatus.REQUEST_TIMEOUT:
            raise NotNow(message)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotNow(message)
        case _ if status >= HTTPStatus.BAD_REQUEST:
            raise Refused(message)


def _is_lost(error: requests.RequestException) -> bool:
    """Return whether the request reached the server: then its content can be the reason for the lost answer."""
    if isinstance(error, requests.Timeout):
        return not isinstance(error, requests.ConnectTimeout)
    is_connection = isinstance(error, requests.ConnectionError)
    return is_connection and not any(isinstance(cause, MaxRetryError) for cause in error.args)
