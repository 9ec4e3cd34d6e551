"""The headers of mails in the outbox, and the policy that mails are written with."""

from __future__ import annotations

from email import policy
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses
from typing import Final

# Every server accepts it; a folded subject is empty for some readers.
PLAIN: Final = policy.SMTP.clone(cte_type="7bit", max_line_length=900)
BUILDS: Final = "X-QALab-Builds"
"""The builds that a mail tells of."""
OVER: Final = "X-QALab-Over"
"""The builds that earlier mails told of, and of which nothing stands any more."""

CULPRITS: Final = "culprits"
"""The outbox of the mails to the authors of proved culprits."""


def culprit_name(bisection: int) -> str:
    """Return the name of the mail about the culprit that a bisection proved."""
    return f"bisection-{bisection}"


def headers_of(data: bytes) -> Message:
    return BytesParser(policy=policy.SMTP).parsebytes(data, headersonly=True)


def listed(message: Message, header: str) -> list[str]:
    """Return the names in a header of `BUILDS` or `OVER`."""
    return str(message[header]).split(", ") if message[header] else []


def addresses_in(message: Message, *headers: str) -> list[str]:
    return [address for header in headers for _, address in getaddresses(message.get_all(header, []))]
