"""The server that takes mail, by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from email.message import Message
from email.utils import getaddresses
from typing import Final
from urllib.parse import urlsplit

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.access import Login

Connect = Callable[[], AbstractContextManager[smtplib.SMTP]]
TIMEOUT_SECONDS: Final = 60.0
PERMANENT: Final = 500
TOO_LARGE: Final = 552  # RFC 1870, section 6.1: an answer to MAIL FROM that concerns this mail


class NotTaken(InfrastructureError):
    """A server refuses this mail; ``is_lasting``: permanently."""

    def __init__(self, message: str, *, is_lasting: bool) -> None:
        super().__init__(message)
        self.is_lasting = is_lasting


def submit(server: smtplib.SMTP, message: Message, data: bytes) -> dict[str, tuple[int, bytes]]:
    """Send a mail; return the recipients that were refused.  Raises NotTaken if all are."""
    to = [address for _, address in getaddresses([str(message[key]) for key in ("To", "Cc") if message[key]])]
    sender = getaddresses([str(message["From"])])[0][1]
    try:
        return server.sendmail(sender, to, data)
    except smtplib.SMTPRecipientsRefused as error:
        is_lasting = all(code >= PERMANENT for code, _ in error.recipients.values())
        raise NotTaken(refusals(error.recipients), is_lasting=is_lasting) from None
    except smtplib.SMTPDataError as error:
        answer = _answer(error.smtp_code, error.smtp_error)
        raise NotTaken(answer, is_lasting=error.smtp_code >= PERMANENT) from None
    except smtplib.SMTPSenderRefused as error:
        if error.smtp_code != TOO_LARGE:
            raise
        raise NotTaken(_answer(error.smtp_code, error.smtp_error), is_lasting=True) from None
    except smtplib.SMTPNotSupportedError as error:  # an address that is not ASCII
        raise NotTaken(" ".join(str(error).split()), is_lasting=True) from None


@contextmanager
def connected(server: str, login: Login) -> Iterator[smtplib.SMTP]:
    """Connect to a server, and log in.  Raises ConfigurationError, InfrastructureError."""
    try:
        with _opened(server, needs_tls=login.user is not None) as connection:
            if login.user is not None:
                connection.login(login.user, login.password or "")
            yield connection
    except smtplib.SMTPAuthenticationError:
        raise ConfigurationError(f"{server}: refuses {login.user} ({login.source})") from None
    except smtplib.SMTPSenderRefused as error:
        answer = _answer(error.smtp_code, error.smtp_error)
        raise ConfigurationError(f"{server}: refuses mail from {error.sender}: {answer}") from None
    except ssl.SSLError as error:
        hint = "SSL_CERT_FILE names the authority to trust"
        raise InfrastructureError(f"{server}: TLS: {error.reason or error}", hint=hint) from None
    except (smtplib.SMTPException, OSError) as error:
        reason = " ".join(str(error).split())
        raise InfrastructureError(f"{server}: cannot be used: {reason or type(error).__name__}") from None


@contextmanager
def _opened(url: str, *, needs_tls: bool) -> Iterator[smtplib.SMTP]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "smtps":
        context = ssl.create_default_context()
        with smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=context) as server:
            yield server
        return
    with smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_SECONDS) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        elif needs_tls:
            raise ConfigurationError(
                f"{url}: offers no TLS, and qalab sends no password without it", hint="smtps://HOST"
            )
        yield server


def refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{address}: refused: {_answer(*answer)}" for address, answer in sorted(refused.items()))


def _answer(code: int, text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(f"{code} {plain}".split())
