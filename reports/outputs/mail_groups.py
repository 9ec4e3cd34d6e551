"""Which mails tell of some news: one about each change, and of what is above the limit one digest for each person."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr

from reports.outputs.delivery import DeliveryOutcome, PendingDelivery
from reports.transitions import Transition


@dataclass(frozen=True)
class News:
    """A transition to tell of, the addresses of those who are to be told, and of those who got a copy of its beginning."""

    item: PendingDelivery
    transition: Transition
    to: tuple[str, ...]
    copies: tuple[str, ...] = ()


@dataclass(frozen=True)
class MailGroup:
    """A mail: its recipients, and its news.  ``is_split``: there are further mails about some of the news."""

    to: tuple[str, ...]
    news: tuple[News, ...]
    is_split: bool = False

    @property
    def name(self) -> str:
        """The part of the Message-ID that no other mail has."""
        first = self.news[0].item.name
        if not self.is_split:
            return f"{first}.digest" if len(self.news) > 1 else first
        return f"{first}.{hashlib.sha256(' '.join(map(person, self.to)).encode()).hexdigest()[:12]}"


def person(address: str) -> str:
    """Return an address without the name beside it, as mail servers compare it."""
    return parseaddr(address)[1].casefold()


def people(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return each address once, as it was first written."""
    found: dict[str, str] = {}
    for address in addresses:
        found.setdefault(person(address), address)
    return tuple(found.values())


def mail_groups(news: Sequence[News], left: int) -> list[MailGroup]:
    """Return the mails about some news: as many about single ones as ``left`` mails allow, and digests."""
    alone = len(news) if len(news) <= left else max(0, left - 1)
    while True:
        digests = _digests(news[alone:])
        if alone + len(digests) <= left or not alone:
            return [*(MailGroup(one.to, (one,)) for one in news[:alone]), *digests]
        alone -= 1


def _digests(news: Sequence[News]) -> list[MailGroup]:
    """Return a digest for all people who get the same news, with nothing of others."""
    of_person: dict[str, list[int]] = {}
    addresses: dict[str, str] = {}
    for place, one in enumerate(news):
        for address in people((*one.to, *one.copies)):
            addresses.setdefault(person(address), address)
            of_person.setdefault(person(address), []).append(place)
    together: dict[tuple[int, ...], list[str]] = {}
    for name, places in of_person.items():
        together.setdefault(tuple(places), []).append(addresses[name])
    mails = Counter(place for places in together for place in places)
    return [
        MailGroup(tuple(to), tuple(news[place] for place in places), any(mails[place] > 1 for place in places))
        for places, to in together.items()
    ]


def merged(outcomes: Mapping[str, Sequence[DeliveryOutcome]], name: str) -> DeliveryOutcome:
    """Return the outcome for a build from those of all mails about it: the worst."""
    worst = max(outcomes[name], key=lambda one: ("delivered", "parked", "later").index(one.how))
    notes = dict.fromkeys(one.note for one in outcomes[name] if one.note and one.how == worst.how)
    return replace(worst, note="; ".join(notes))
