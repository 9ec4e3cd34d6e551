"""Mail when something breaks, stays broken, or is fixed, and when the lab is ill; see `reports.transitions`.

Each mail is in an outbox before it is sent, so that an interrupted mail is sent again unchanged, with the same
Message-ID.  If the answer of the server is lost, the mail can arrive twice (RFC 1047); mail programs that compare
Message-IDs show it once.
"""

from __future__ import annotations

import smtplib
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import getaddresses
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import urlsplit

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.failures import Bug, caught
from lab.base.text import plural
from lab.config import access
from lab.config.access import Login
from lab.config.publication import Mail
from lab.results.lab_health import ERRORS, episodes
from reports.bundle import BadBundle
from reports.lab_view import phases_of
from reports.outputs import mail_text
from reports.outputs.delivery import (
    DeliveryOutcome,
    How,
    Outbox,
    Output,
    OutputContext,
    PendingDelivery,
    Tombstone,
    one_line,
    parked,
)
from reports.outputs.mail_groups import MailGroup, News, mail_groups, merged, person
from reports.transitions import DAY_SECONDS, HistoryPoint, Transition, transitions

HOUR_SECONDS: Final = 3600.0
TIMEOUT_SECONDS: Final = 60.0
PERMANENT: Final = 500
TOO_LARGE: Final = 552  # RFC 1870, section 6.1: an answer to MAIL FROM that concerns this mail
# Every server accepts it; a folded subject is empty for some readers.
PLAIN: Final = policy.SMTP.clone(cte_type="7bit", max_line_length=900)
BUILDS_HEADER: Final = "X-QALab-Builds"


@dataclass(frozen=True)
class MailOutput:
    """The mail of a lab."""

    context: OutputContext
    mail: Mail
    login: Login
    is_ordered: ClassVar[bool] = True
    is_news: ClassVar[bool] = True
    is_live: ClassVar[bool] = False

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.context.home / "mail")

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]:
        by_name = self._transitions(items)
        news: list[News] = []
        for item in items:
            transition = by_name.get(item.name)
            if transition is None:
                yield DeliveryOutcome(item.name, "nothing", "nothing changed")
            elif transition.point.delay > self.mail.history_days * DAY_SECONDS:
                note = f"ended more than {plural(self.mail.history_days, 'day')} before it was published"
                yield DeliveryOutcome(item.name, "nothing", note)
            elif to := self._untold(item, transition):
                news.append(News(item, transition, to))
            else:
                yield DeliveryOutcome(item.name, "delivered")
        if self.outbox.waiting():  # from an interrupted pass
            sent = {outcome.name: outcome for outcome in self._send_all()}
            given, news = news, []
            for one in given:
                to = self._untold(one.item, one.transition)
                outcome = sent.get(one.item.name)
                if outcome and (outcome.how != "delivered" or not to):
                    yield outcome
                else:
                    news.append(replace(one, to=to))
        yield from self._write(news)

    def _untold(self, item: PendingDelivery, transition: Transition) -> tuple[str, ...]:
        """Return the recipients of the news about a build who did not get a mail about it."""
        told = [address for message in self._told(item.name) for _, address in getaddresses(message.get_all("To", []))]
        known = set(map(person, told))
        to = mail_text.recipients(self.context, self.mail, item, transition)
        return tuple(address for address in to if person(address) not in known)

    def _told(self, name: str) -> list[Message]:
        """Return the headers of the sent mails about a build."""
        parser = BytesParser(policy=policy.SMTP)
        return [parser.parsebytes(data, headersonly=True) for data in self.outbox.read_sent(name)]

    def _transitions(self, items: Sequence[PendingDelivery]) -> dict[str, Transition]:
        """Return the notifications of these builds, and of others of their lanes, by the names of the builds."""
        by_name: dict[str, Transition] = {}
        points: dict[str, HistoryPoint] = {}
        for lane in dict.fromkeys(item.lane for item in items):
            history = self.context.history(*lane)
            points |= {point.name: point for point in history}
            by_name |= {one.point.name: one for one in transitions(history, self.mail.remind_days)}
        if any(point.verdict in ERRORS for point in points.values()):
            # What lab.yaml drops while it errs never has a verdict again.
            known = frozenset(phases_of(self.context.lab))
            builds = [build for build in self.context.verdicts() if build[1] in known]
            ill = episodes([(lane, verdict) for _, lane, verdict in builds], self.mail.alert_errors)
            alerts = [points[name] for name in (builds[place][0] for place in ill) if name in points]
            by_name |= {point.name: Transition("ill", point, point, point) for point in alerts}
        return by_name

    def _write(self, news: Sequence[News]) -> Iterator[DeliveryOutcome]:
        """Send at most as many mails as this hour allows."""
        left = max(0, self.mail.most_per_hour - self.outbox.since(self.context.clock.now() - HOUR_SECONDS))
        mails = mail_groups(news, left)
        count = Counter(one.item.name for mail in mails for one in mail.news)
        found: dict[str, list[DeliveryOutcome]] = {}
        for number, mail in enumerate(mails):
            for outcome in self._write_mail(mail) if number < left else self._postpone(mail):
                found.setdefault(outcome.name, []).append(outcome)
                if len(found[outcome.name]) == count[outcome.name]:
                    yield merged(found, outcome.name)

    def _postpone(self, mail: MailGroup) -> Iterator[DeliveryOutcome]:
        for one in mail.news:
            yield DeliveryOutcome(one.item.name, "later", "the limit of mails per hour is reached", is_trouble=False)

    def _write_mail(self, mail: MailGroup) -> Iterator[DeliveryOutcome]:
        """Send a mail about some builds; those that cannot be read are parked."""
        parts: list[tuple[PendingDelivery, str]] = []
        for one in mail.news:
            try:
                with caught():
                    if len(mail.news) > 1:
                        parts.append((one.item, mail_text.digest_line(self.context, one.item, one.transition)))
                        continue
                    is_reply = one.transition.kind in mail_text.REPLIES
                    told = self._told(one.transition.told.name) if is_reply else []
                    self._put(mail_text.mail_text(self.context, self.mail, mail, told), [one.item])
            except (BadBundle, Bug) as error:
                yield parked(one.item, error)
        if parts:
            items = [item for item, _ in parts]
            self._put(mail_text.digest(self.context, self.mail, mail, [line for _, line in parts]), items)
        if self.outbox.waiting():
            yield from self._send_all()

    def _put(self, message: EmailMessage, items: Sequence[PendingDelivery]) -> None:
        message[BUILDS_HEADER] = ", ".join(item.name for item in items)
        self.outbox.put(items[0].name, message.as_bytes(policy=PLAIN))

    def _send_all(self) -> Iterator[DeliveryOutcome]:
        waiting = self.outbox.waiting()
        with self.connected() as server:
            for path in waiting:
                yield from self._send(server, path)

    def _send(self, server: smtplib.SMTP, path: Path) -> Iterator[DeliveryOutcome]:
        data = path.read_bytes()
        message = BytesParser(policy=policy.SMTP).parsebytes(data, headersonly=True)
        names = str(message[BUILDS_HEADER]).split(", ")
        try:
            with caught(OSError):  # the errors of smtplib are among them
                refused = submit(server, message, data)
        except NotTaken as error:
            self.outbox.drop(path)
            how: How = "parked" if error.is_lasting else "later"
            note = f"{self.mail.server}: {one_line(error)}"
            yield from (DeliveryOutcome(name, how, note, is_own=True) for name in names)
        except Bug as error:
            self.outbox.drop(path)
            yield from (DeliveryOutcome(name, "parked", one_line(error), is_bug=True) for name in names)
        else:
            self.outbox.sent(path, names, self.context.clock.now())
            yield from (DeliveryOutcome(name, "delivered", _refusals(refused)) for name in names)

    @contextmanager
    def connected(self) -> Iterator[smtplib.SMTP]:
        """Connect to the server, and log in.  Raises ConfigurationError, InfrastructureError."""
        server = self.mail.server
        try:
            with _opened(server, needs_tls=self.login.user is not None) as connection:
                if self.login.user is not None:
                    connection.login(self.login.user, self.login.password or "")
                yield connection
        except smtplib.SMTPAuthenticationError:
            raise ConfigurationError(f"{server}: refuses {self.login.user} ({self.login.source})") from None
        except smtplib.SMTPSenderRefused as error:
            answer = _answer(error.smtp_code, error.smtp_error)
            raise ConfigurationError(f"{server}: refuses mail from {error.sender}: {answer}") from None
        except ssl.SSLError as error:
            hint = "SSL_CERT_FILE names the authority to trust"
            raise InfrastructureError(f"{server}: TLS: {error.reason or error}", hint=hint) from None
        except (smtplib.SMTPException, OSError) as error:
            reason = " ".join(str(error).split())
            raise InfrastructureError(f"{server}: cannot be used: {reason or type(error).__name__}") from None

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Discard the waiting mails about these builds; sent mails stay."""
        names = {tombstone.name for tombstone in gone}
        for path in self.outbox.waiting():
            message = BytesParser(policy=policy.SMTP).parsebytes(path.read_bytes(), headersonly=True)
            if names & set(str(message[BUILDS_HEADER]).split(", ")):
                self.outbox.drop(path)


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
        raise NotTaken(_refusals(error.recipients), is_lasting=is_lasting) from None
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


def _refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{address}: refused: {_answer(*answer)}" for address, answer in sorted(refused.items()))


def _answer(code: int, text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(f"{code} {plain}".split())


def open_output(context: OutputContext) -> Output | None:
    mail = context.lab.notifications.mail
    if mail is None:
        return None
    return MailOutput(context, mail, access.login(mail.credentials, context.base, "notifications.mail"))
