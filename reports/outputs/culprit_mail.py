"""The mail about a proved culprit, to the author of its commit and to nobody else.

It is sent once for each bisection, where lab.yaml allows (``bisection.mail_author``) and the bisection is public.  A mail that
was interrupted is sent again unchanged, see `reports.outputs.mail`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage

from lab.base.errors import LabError
from lab.base.failures import caught
from lab.config.publication import Mail
from lab.store import bisections
from lab.store.runs import Store
from reports.bisections import PublicBisection
from reports.mail_addresses import gets_mail
from reports.outputs import mail, mail_text
from reports.outputs.delivery import Outbox, OutputContext
from reports.outputs.mail import MailOutput
from reports.outputs.mail_headers import CULPRITS, PLAIN, culprit_name, headers_of
from reports.outputs.mail_server import NotTaken, submit
from reports.transitions import DAY_SECONDS


def send(context: OutputContext) -> list[tuple[str, LabError]]:
    """Send the mails that were not sent yet; return what failed."""
    settings, outbox = context.lab.notifications.mail, Outbox(context.home / CULPRITS)
    if settings is None or not context.lab.bisection.mail_author:
        return []
    try:
        with caught():
            output = mail.open_output(context)
            for name, message in _new(context, settings, outbox):
                outbox.put(name, message.as_bytes(policy=PLAIN))
            if isinstance(output, MailOutput) and outbox.waiting():
                return [("mail to authors", error) for error in _deliver(context, output, outbox)]
    except LabError as error:
        return [("mail to authors", error)]
    return []


def _new(context: OutputContext, settings: Mail, outbox: Outbox) -> Iterator[tuple[str, EmailMessage]]:
    oldest = context.clock.now() - settings.history_days * DAY_SECONDS
    for one in context.bisections():
        name = culprit_name(one.number)
        is_news = datetime.fromisoformat(one.finished).timestamp() >= oldest and not outbox.is_sent(name)
        if one.accuses and one.outcome == "found" and is_news and (address := _author(context, one)):
            yield name, mail_text.culprit(context, settings, one, name, address)


def _author(context: OutputContext, one: PublicBisection) -> str:
    """Return the address of the author of a proved commit; "" for another culprit, and where it gets no mail."""
    found = bisections.existing(Store.of(context.lab), one.number)
    is_commit = found.is_proved and found.suspects[0].kind.endswith("commit")
    return found.suspects[0].email if is_commit and gets_mail(found.suspects[0].email) else ""


def _deliver(context: OutputContext, output: MailOutput, outbox: Outbox) -> Iterator[LabError]:
    with output.connected() as server:
        for path in outbox.waiting():
            data = path.read_bytes()
            message = headers_of(data)
            try:
                with caught(OSError):
                    submit(server, message, data)
            except NotTaken as error:
                if error.is_lasting:  # nobody is to be asked again
                    outbox.sent(path, [path.name], context.clock.now())
                yield error
            else:
                outbox.sent(path, [path.name], context.clock.now())
