"""What an output is.

It is made by ``open_output(context)``, which gives None where lab.yaml does not want it.  ``deliver`` gets all that
waits for it, oldest first, and yields how each went as soon as it knows; it looks for a build where it sends it
before it sends it, so that what was done and not noted is not done twice.  It raises a `lab.base.errors.LabError` when it
cannot be used at all: then the rest waits, for it alone.  What is wrong with one build, or with the answer to one, is
that build's outcome: see `one_by_one`.  ``withdraw`` takes back what was retracted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.failures import Bug, caught
from lab.config.description import Lab
from lab.results import addresses
from lab.results.build_identity import build_id
from lab.store import records
from reports import bundle
from reports.bundle import BadBundle, Bundle
from reports.model import Build
from reports.transitions import HistoryPoint

# delivered; nothing to tell; never will be (note says why); put off.
How = Literal["delivered", "nothing", "parked", "later"]
MOST_IN_A_ROW: Final = 3  # failures, after which it is the place that is at fault and not what is sent there


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
    """How a delivery went."""

    name: str
    how: How
    note: str = ""
    is_trouble: bool = True
    """Whether somebody should know that it is parked, or put off."""
    is_own: bool = False
    """Whether this delivery failed and the place works: it is not tried for ever."""
    is_bug: bool = False
    """Whether qalab itself is at fault."""


class Refused(ConfigurationError):
    """A delivery was refused for good."""


class NotNow(InfrastructureError):
    """A delivery did not succeed; what was sent may be the reason, or the place."""


class Tombstone(records.Stored):
    """A build that was retracted: never published again."""

    name: str
    track: str
    component: str
    phase: str
    retracted: str


@dataclass(frozen=True)
class PublisherClock:
    """The time (Unix time), and how to let it pass."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class OutputContext:
    """What an output may know.  ``base``: where lab.yaml is; ``home``: for what it keeps of its own."""

    lab: Lab
    base: Path
    home: Path
    site: Path
    published: Callable[[], Sequence[PendingDelivery]]
    history: Callable[[str, str, str], Sequence[HistoryPoint]]
    """The builds of a component, on a track, in a phase, oldest first."""
    find: Callable[[str], PendingDelivery | None]
    authors: Callable[[str], Sequence[str]]
    """The mail addresses of who wrote what a build is the first to have."""
    clock: PublisherClock

    def link(self, build: Build) -> str:
        """The build's page on the public site, "" when nobody knows where that is."""
        url = self.lab.public.site_url if self.lab.public else None
        return f"{url.rstrip('/')}/{addresses.build_path(build_id(build.id))}" if url else ""


class Output(Protocol):
    """A place that builds are delivered to."""

    @property
    def is_ordered(self) -> bool:
        """Whether builds of a component, track and phase wait while an older one of them is put off."""

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]: ...

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Take these back.  Raises LabError where that is not possible."""


@dataclass(frozen=True)
class Outbox:
    """What was sent and cannot be looked for where it went: kept before it is sent, and after.

    ``waiting/ID`` is written before the first try, with its final bytes; ``sent/NAME`` are hard links to it, one for
    each build that it tells of, and only then it leaves ``waiting``.
    """

    home: Path

    def is_sent(self, name: str) -> bool:
        return (self.home / "sent" / name).exists()

    def put(self, name: str, data: bytes) -> None:
        files.write_atomic(self.home / "waiting" / name, data, 0o600)

    def waiting(self) -> list[Path]:
        return sorted(path for path in (self.home / "waiting").glob("[!.]*"))

    def sent(self, path: Path, names: Sequence[str], now: float) -> None:
        """What waited at ``path`` was taken now."""
        home = self.home / "sent"
        home.mkdir(parents=True, exist_ok=True)
        os.utime(path, (now, now))
        for name in names:
            if not (home / name).exists():
                (home / name).hardlink_to(path)
        path.unlink()

    def drop(self, path: Path) -> None:
        """What waited is not sent after all."""
        path.unlink()

    def since(self, moment: float) -> int:
        """How many were sent since (Unix time)."""
        found = (path.stat() for path in (self.home / "sent").glob("*"))
        return len({one.st_ino for one in found if one.st_mtime >= moment})


def one_line(error: LabError) -> str:
    return " ".join(str(error).split())


def parked(item: PendingDelivery, error: LabError) -> DeliveryOutcome:
    """Return the outcome of a delivery that can never succeed as it is."""
    return DeliveryOutcome(item.name, "parked", one_line(error), is_bug=isinstance(error, Bug))


def one_by_one(
    items: Sequence[PendingDelivery], tell: Callable[[PendingDelivery], DeliveryOutcome]
) -> Iterator[DeliveryOutcome]:
    """Deliver each by itself: what is refused, or meets a bug, is parked, what fails now is put off; the rest goes on.

    Raises InfrastructureError after `MOST_IN_A_ROW` failures, and whatever else ``tell`` raises.
    """
    failures = 0
    for item in items:
        try:
            with caught():
                outcome = tell(item)
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
