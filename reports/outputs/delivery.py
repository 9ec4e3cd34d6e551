"""The interface of an output.

``open_output(context)`` returns the output, or None if lab.yaml does not configure it.  ``deliver`` gets the waiting
builds, oldest first, and yields the outcome of each as soon as it is known.  It looks for a build at the destination
before it sends it, so that a delivery that was made but not recorded is not made twice.  It raises a
`lab.base.errors.LabError` if the output cannot be used at all: then the other builds wait, for this output only.  An
error of one build, or of the answer to it, is the outcome of that build: see `one_by_one`.  ``withdraw`` unpublishes
retracted builds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Final, Literal, Protocol

from lab.base import files
from lab.base.errors import Aborted, InfrastructureError, LabError, NotNow, Refused, Throttled, Verdict
from lab.base.failures import Bug, caught
from lab.config.description import Lab
from lab.forges.proposals import ProposalId
from lab.results import addresses
from lab.results.build_identity import build_id
from lab.store import records
from reports import bundle
from reports.bisections import Bisections
from reports.bundle import BadBundle, Bundle
from reports.lab_view import LabView
from reports.model import Build, ReviewedBuild
from reports.transitions import HistoryPoint

How = Literal["delivered", "nothing", "parked", "later"]
"""The result of a delivery: done; nothing to send; given up (the note has the reason); postponed."""
MOST_IN_A_ROW: Final = 3  # after so many failures in a row, the destination is at fault, not the builds


@dataclass(frozen=True)
class PendingDelivery:
    """A build that waits for an output: its short name, its bundle, its component, track and phase."""

    name: str
    path: Path
    lane: tuple[str, str, str] = ("", "", "")

    def read(self) -> Bundle:
        return bundle.read(self.path)


@dataclass(frozen=True)
class DeliveryOutcome:
    """The outcome of a delivery."""

    name: str
    how: How
    note: str = ""
    is_trouble: bool = True
    """Report that the delivery is parked or postponed."""
    is_own: bool = False
    """The delivery failed although the destination works: the number of tries is limited."""
    is_bug: bool = False
    """A bug of qalab is the reason."""
    wait: float = 0.0
    """The seconds that the destination asks to wait before the next try."""


class Tombstone(records.Stored):
    """A build that was retracted: never published again."""

    name: str
    track: str
    component: str
    phase: str
    retracted: str
    proposal: ProposalId | None = None
    """The head under review that it was about."""


@dataclass(frozen=True)
class PublisherClock:
    """The time (Unix time), and the way to wait."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class OutputContext:
    """The inputs of an output.  ``base``: the directory of lab.yaml; ``home``: for the output's own files."""

    lab: Lab
    base: Path
    home: Path
    site: Path
    view: Callable[[], LabView]
    """The lab besides its builds."""
    bisections: Callable[[], Bisections]
    """The answers of bisections."""
    published: Callable[[], Sequence[PendingDelivery]]
    history: Callable[[str, str, str], Sequence[HistoryPoint]]
    """The builds of a component, on a track, in a phase, oldest first, and those that were retracted."""
    verdicts: Callable[[], Sequence[tuple[str, tuple[str, str, str], Verdict]]]
    """The name, the lane and the verdict of all builds in the order of publication, without those that are overtaken."""
    of_proposal: Callable[[str], Sequence[ReviewedBuild]]
    """The published builds of a head under review, by its key, oldest first."""
    find: Callable[[str], PendingDelivery | None]
    authors: Callable[[str], Sequence[str]]
    """The mail addresses of the authors of the commits that a build is the first to have."""
    clock: PublisherClock

    def link(self, build: Build) -> str:
        """Return the address of the build's page on the public site, "" if the site's address is unknown."""
        return self.address(addresses.build_path(build_id(build.id)))

    def address(self, path: str) -> str:
        """Return the address of a page of the public site, "" if the site's address is unknown."""
        url = self.lab.public.site_url if self.lab.public else None
        return f"{url.rstrip('/')}/{path}" if url else ""

    def newer(self, item: PendingDelivery) -> set[str]:
        """Return the names of the newer builds of the same component, track and phase."""
        names = [point.name for point in self.history(*item.lane)]
        return set(names[names.index(item.name) + 1 :]) if item.name in names else set()


class Output(Protocol):
    """A destination of builds."""

    @property
    def is_ordered(self) -> bool:
        """Builds of a component, track and phase wait while an older one of them is postponed."""

    @property
    def is_news(self) -> bool:
        """It tells people what is new: it gets no builds that were published before it was configured."""

    @property
    def is_live(self) -> bool:
        """It also shows what waits and runs, which changes without a new build: ``deliver`` gets no builds, too."""

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]: ...

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Unpublish builds.  Raises LabError if that is not possible."""


@dataclass(frozen=True)
class Outbox:
    """The messages to a destination that cannot be asked for them: kept before they are sent, and after.

    ``waiting/ID`` is written before the first try, with its final bytes.  ``sent/NAME`` are hard links to it, one for
    each build in the message, ``NAME.2`` if NAME is another message; only then it is removed from ``waiting``.
    """

    home: Path

    def is_sent(self, name: str) -> bool:
        return (self.home / "sent" / name).exists()

    def read_sent(self, name: str) -> list[bytes]:
        """Return the messages about a build that were sent."""
        return [path.read_bytes() for path in takewhile(Path.exists, self._links(name))]

    def _links(self, name: str) -> Iterator[Path]:
        """Yield the places of the messages about a build: NAME, NAME.2 and so on."""
        home = self.home / "sent"
        return (home / (name if number == 1 else f"{name}.{number}") for number in count(1))

    def put(self, name: str, data: bytes) -> None:
        files.write_atomic(self.home / "waiting" / name, data, 0o600)

    def waiting(self) -> list[Path]:
        return sorted(path for path in (self.home / "waiting").glob("[!.]*"))

    def sent(self, path: Path, names: Sequence[str], now: float) -> None:
        """Record that the message at ``path`` was accepted now."""
        home = self.home / "sent"
        home.mkdir(parents=True, exist_ok=True)
        os.utime(path, (now, now))
        for name in names:
            place = next(place for place in self._links(name) if not place.exists() or place.samefile(path))
            if not place.exists():
                place.hardlink_to(path)
        path.unlink()

    def all_sent(self) -> Iterator[bytes]:
        """Yield each message that was sent, once."""
        links = {path.stat().st_ino: path for path in (self.home / "sent").glob("*")}
        yield from (path.read_bytes() for path in links.values())

    def drop(self, path: Path) -> None:
        """Discard a waiting message."""
        path.unlink()

    def since(self, moment: float) -> int:
        """Return the number of messages sent since a moment (Unix time)."""
        stats = (path.stat() for path in (self.home / "sent").glob("*"))
        return len({stat.st_ino for stat in stats if stat.st_mtime >= moment})


def one_line(error: LabError) -> str:
    return " ".join(str(error).split())


def parked(item: PendingDelivery, error: LabError) -> DeliveryOutcome:
    """Return the outcome of a delivery that can never succeed."""
    return DeliveryOutcome(item.name, "parked", one_line(error), is_bug=isinstance(error, Bug))


def one_by_one(
    items: Sequence[PendingDelivery], deliver: Callable[[PendingDelivery], DeliveryOutcome]
) -> Iterator[DeliveryOutcome]:
    """Deliver each build independently: park it if it is refused or meets a bug, postpone it if it fails.

    Raises InfrastructureError after `MOST_IN_A_ROW` failures, and any other error of ``deliver``.
    """
    failures = 0
    for item in items:
        try:
            with caught():
                outcome = deliver(item)
        except (Refused, BadBundle, Bug) as error:
            yield parked(item, error)
        except NotNow as error:
            yield DeliveryOutcome(item.name, "later", one_line(error), is_own=True)
            failures += 1
            if failures >= MOST_IN_A_ROW:
                raise InfrastructureError(one_line(error)) from None
        else:
            failures = 0
            yield outcome


def to_one_of_many(
    items: Sequence[PendingDelivery], deliver: Callable[[PendingDelivery], DeliveryOutcome]
) -> Iterator[DeliveryOutcome]:
    """Deliver builds, one by one, to one of the destinations of an output.

    If the destination cannot be used, its other builds wait, and one of them reports why: the other destinations do not
    wait.
    """
    left = {item.name: item for item in items}
    try:
        for outcome in one_by_one(items, deliver):
            del left[outcome.name]
            yield outcome
    except Aborted:
        raise
    except LabError as error:
        for number, name in enumerate(left):
            yield DeliveryOutcome(name, "later", one_line(error), is_trouble=number == 0, wait=seconds_of(error))


def seconds_of(error: LabError) -> float:
    """Return the seconds that a destination asks to wait, 0 without such a request."""
    return error.seconds if isinstance(error, Throttled) else 0.0
