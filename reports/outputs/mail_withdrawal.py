"""The answers to the mails about a build that was retracted since: nothing else tells their readers that it is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from lab.base.errors import Refused
from lab.config.publication import Mail
from reports.outputs import mail_text
from reports.outputs.delivery import Outbox, OutputContext, Tombstone, one_line
from reports.outputs.mail_headers import BUILDS, OVER, PLAIN, headers_of, listed
from reports.outputs.mail_server import Connect, NotTaken, submit
from reports.transitions import DAY_SECONDS

NEVER: Final = "1970-01-01T00:00:00Z"


def withdraw(context: OutputContext, mail: Mail, outbox: Outbox, gone: Tombstone, connect: Connect) -> None:
    """Answer each mail about a retracted build, once, unless a later mail told that all is over of which it told.

    Raises Refused if the server does not take an answer now, and InfrastructureError if it cannot be used.
    """
    age = context.clock.now() - datetime.fromisoformat(gone.retracted or NEVER).timestamp()
    if age > mail.history_days * DAY_SECONDS or _is_over(outbox, gone.name):
        return
    if waiting := [*_written(context, mail, outbox, gone)]:
        with connect() as server:
            for path in waiting:
                data = path.read_bytes()
                try:
                    submit(server, headers_of(data), data)
                except NotTaken as error:
                    if not error.is_lasting:
                        raise Refused(f"{mail.server}: {one_line(error)}") from None
                outbox.sent(path, [path.name], context.clock.now())


def _written(context: OutputContext, mail: Mail, outbox: Outbox, gone: Tombstone) -> Iterator[Path]:
    """Yield the answers that wait: written now, or before a pass that was interrupted."""
    for number, data in enumerate(outbox.read_sent(gone.name), 1):
        name = f"{gone.name}-withdrawn-{number}"
        path = outbox.home / "waiting" / name
        if not outbox.is_sent(name):
            if not path.exists():
                message = mail_text.withdrawal(context, mail, gone, headers_of(data), name)
                message[BUILDS] = name
                outbox.put(name, message.as_bytes(policy=PLAIN))
            yield path


def _is_over(outbox: Outbox, name: str) -> bool:
    return any(name in listed(headers_of(data), OVER) for data in outbox.all_sent())
