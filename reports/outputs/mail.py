"""Mail when something breaks, stays broken, or is fixed, and when the lab is ill; see `reports.transitions`.

Each mail is in an outbox before it is sent, so that an interrupted mail is sent again unchanged, with the same
Message-ID.  If the answer of the server is lost, the mail can arrive twice (RFC 1047); mail programs that compare
Message-IDs show it once.
"""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from pathlib import Path
from typing import ClassVar, Final

from lab.base.failures import Bug, caught
from lab.base.text import plural
from lab.config import access
from lab.config.access import Login
from lab.config.publication import Mail
from lab.results.lab_health import ERRORS, episodes
from lab.store.records import rfc3339
from reports.bundle import BadBundle
from reports.lab_view import phases_of
from reports.outputs import mail_text, mail_withdrawal
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
from reports.outputs.mail_groups import MailGroup, News, mail_groups, merged, people, person
from reports.outputs.mail_headers import BUILDS, CULPRITS, OVER, PLAIN, addresses_in, culprit_name, headers_of, listed
from reports.outputs.mail_server import NotTaken, connected, refusals, submit
from reports.transitions import DAY_SECONDS, HistoryPoint, Transition, transitions

HOUR_SECONDS: Final = 3600.0


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
        lanes = [self.context.history(*lane) for lane in dict.fromkeys(item.lane for item in items)]
        points = {point.name: point for history in lanes for point in history}
        by_name = self._transitions(lanes, points)
        news: list[News] = []
        for item in items:
            transition = by_name.get(item.name)
            if transition is None:
                is_history = item.name in points and self._is_history(points[item.name])
                note = f"ended more than {plural(self.mail.history_days, 'day')} before it was published"
                yield DeliveryOutcome(item.name, "nothing", note if is_history else "nothing changed")
            elif one := self._untold(item, transition):
                news.append(one)
            else:
                yield DeliveryOutcome(item.name, "delivered")
        if self.outbox.waiting():  # from an interrupted pass
            sent = {outcome.name: outcome for outcome in self._send_all()}
            given, news = news, []
            for one in given:
                untold = self._untold(one.item, one.transition)
                outcome = sent.get(one.item.name, DeliveryOutcome(one.item.name, "delivered"))
                if outcome.how != "delivered" or not untold:
                    yield outcome
                else:
                    news.append(untold)
        yield from self._write(news)

    def _untold(self, item: PendingDelivery, transition: Transition) -> News | None:
        """Return the news about a build for those who did not get a mail about it; None without any."""
        known = self._knowing(item)
        to = mail_text.recipients(self.context, self.mail, item, transition)
        untold = tuple(address for address in to if person(address) not in known)
        return News(item, transition, untold, self._copies(item, transition)) if untold else None

    def _knowing(self, item: PendingDelivery) -> set[str]:
        """Return the people who got a mail about a build."""
        return {person(address) for message in self._told(item.name) for address in addresses_in(message, "To", "Cc")}

    def _copies(self, item: PendingDelivery, transition: Transition) -> tuple[str, ...]:
        """Return who got a copy of the mails about what ended: whoever was told that it broke is told of its end."""
        began = [message for point in transition.ended for message in self._told(point.name)]
        told = [one for message in began for one in addresses_in(message, "Cc")]
        known = self._knowing(item)
        return tuple(one for one in people((*told, *self._proved(item, transition))) if person(one) not in known)

    def _proved(self, item: PendingDelivery, transition: Transition) -> Iterator[str]:
        """Yield the authors who were told that their commits broke what ended, see `reports.outputs.culprit_mail`."""
        ended = transition.subjects if transition.kind == "fixed" else transition.fixed
        first = min((point.started for point in (transition.since, *transition.ended)), default=0.0)
        since = rfc3339(datetime.fromtimestamp(first, UTC))
        outbox = Outbox(self.context.home / CULPRITS)
        for one in self.context.bisections():
            if any(one.explains(*item.lane, subject, since) for subject in ended):
                for data in outbox.read_sent(culprit_name(one.number)):
                    yield from addresses_in(headers_of(data), "To")

    def _told(self, name: str) -> list[Message]:
        """Return the headers of the sent mails about a build."""
        return [headers_of(data) for data in self.outbox.read_sent(name)]

    def _is_history(self, point: HistoryPoint) -> bool:
        return point.delay > self.mail.history_days * DAY_SECONDS

    def _transitions(
        self, lanes: Sequence[Sequence[HistoryPoint]], points: Mapping[str, HistoryPoint]
    ) -> dict[str, Transition]:
        """Return the notifications of these histories, by the names of the builds."""
        by_name: dict[str, Transition] = {}
        for history in lanes:
            by_name |= {
                one.point.name: one for one in transitions(history, self.mail.remind_days, self.mail.history_days)
            }
        if any(point.verdict in ERRORS for point in points.values()):
            # What lab.yaml drops while it errs never has a verdict again.
            known = frozenset(phases_of(self.context.lab))
            builds = [build for build in self.context.verdicts() if build[1] in known]
            ill = episodes([(lane, verdict) for _, lane, verdict in builds], self.mail.alert_errors)
            found = [points[name] for name in (builds[place][0] for place in ill) if name in points]
            alerts = [point for point in found if not self._is_history(point)]
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
        parts: list[tuple[News, str]] = []
        for one in mail.news:
            try:
                with caught():
                    if len(mail.news) > 1:
                        parts.append((one, mail_text.digest_line(self.context, one.item, one.transition)))
                        continue
                    is_reply = one.transition.kind in mail_text.REPLIES
                    told = self._told(one.transition.told.name) if is_reply else []
                    # The mail about its beginning can be of this pass.
                    alone = replace(one, copies=self._copies(one.item, one.transition))
                    self._put(mail_text.mail_text(self.context, self.mail, replace(mail, news=(alone,)), told), [one])
            except (BadBundle, Bug) as error:
                yield parked(one.item, error)
        if parts:
            told_of = [one for one, _ in parts]
            self._put(mail_text.digest(self.context, self.mail, mail, [line for _, line in parts]), told_of)
        if self.outbox.waiting():
            yield from self._send_all()

    def _put(self, message: EmailMessage, news: Sequence[News]) -> None:
        items = [one.item for one in news]
        message[BUILDS] = ", ".join(item.name for item in items)
        if over := dict.fromkeys(point.name for one in news for point in one.transition.over):
            message[OVER] = ", ".join(over)
        self.outbox.put(items[0].name, message.as_bytes(policy=PLAIN))

    def _send_all(self) -> Iterator[DeliveryOutcome]:
        waiting = self.outbox.waiting()
        with self.connected() as server:
            for path in waiting:
                yield from self._send(server, path)

    def _send(self, server: smtplib.SMTP, path: Path) -> Iterator[DeliveryOutcome]:
        data = path.read_bytes()
        message = headers_of(data)
        names = listed(message, BUILDS)
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
            yield from (DeliveryOutcome(name, "delivered", refusals(refused)) for name in names)

    def connected(self) -> AbstractContextManager[smtplib.SMTP]:
        """Connect to the server, and log in.  Raises ConfigurationError, InfrastructureError."""
        return connected(self.mail.server, self.login)

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Discard the waiting mails about these builds, and answer those that were sent."""
        names = {tombstone.name for tombstone in gone}
        for path in self.outbox.waiting():
            if names.intersection(listed(headers_of(path.read_bytes()), BUILDS)):
                self.outbox.drop(path)
        for tombstone in gone:
            mail_withdrawal.withdraw(self.context, self.mail, self.outbox, tombstone, self.connected)


def open_output(context: OutputContext) -> Output | None:
    mail = context.lab.notifications.mail
    if mail is None:
        return None
    return MailOutput(context, mail, access.login(mail.credentials, context.base, "notifications.mail"))
