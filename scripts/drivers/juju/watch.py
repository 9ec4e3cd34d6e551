"""The watch over a model until it is well or has failed, with qalab's own time limit.

A permanent fault ends the watch at once.  A temporary fault (a lost agent, a charm that waits for a person) ends it
when nothing has changed for a while.  The model counts as well only when it stays well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from lab.base.clock import Clock
from scripts.drivers.juju.patience import JujuPatience
from scripts.drivers.juju.status import Blame, Status, UnitStatus, application_of
from scripts.drivers.topology import Topology

LOOK_SECONDS = 5.0
BLOCKED_SECONDS = 120.0
RETRY_SECONDS = 60.0  # until a unit begins a hook again


@dataclass
class HookRetries:
    """Retries of failed hooks: at most ``most`` of each unit; ``retry`` lets Juju run one again."""

    most: int = 0
    retry: Callable[[Blame], None] = lambda _: None
    began: dict[tuple[str, str], float] = field(default_factory=dict)
    """When the retry began, by unit and time of the failure: the status stays for a while."""

    def is_passing(self, blame: Blame, now: float) -> bool:
        """Return whether a failure has a retry that can succeed; let the hook run again for a new failure."""
        if blame.failed_at is None:
            return False
        failure = (blame.entity, blame.failed_at)
        if failure in self.began:
            return now - self.began[failure] < RETRY_SECONDS
        if self.of(blame.entity) >= self.most:
            return False
        self.began[failure] = now
        self.retry(blame)
        return True

    def of(self, unit: str) -> int:
        """Return the number of retries of a unit."""
        return sum(name == unit for name, _ in self.began)


@dataclass
class Watch:
    """A sequence of status calls that logs each change, and the time at which each application is well."""

    look: Callable[[], Status]
    say: Callable[[str], None]
    topology: Topology
    ready: dict[str, float] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    retries: HookRetries = field(default_factory=HookRetries)
    lost_seconds: float = 60.0
    """How long an agent may be lost: at least the time of a reboot."""

    def until_well(self, minutes: float) -> tuple[Status, Blame | None]:
        """Return the last status and the fault; None for the fault when all units are well."""
        return self._until(lambda status: status.well(self.topology), self.topology.settle_seconds, minutes)

    def until_settled(self, minutes: float) -> tuple[Status, Blame | None]:
        """Return the last status and the fault; None for the fault when no unit does anything any more."""
        return self._until(lambda status: status.is_settled(self.topology), BLOCKED_SECONDS, minutes, settling=True)

    def until_machines(self, count: int, minutes: float) -> tuple[Status, Blame | None]:
        """Return the last status and the fault, of machines."""
        return self._until(lambda status: status.machines_up(count), 0, minutes)

    def _until(
        self, good: Callable[[Status], bool], believed: float, minutes: float, *, settling: bool = False
    ) -> tuple[Status, Blame | None]:
        began = changed = self.clock.monotonic()
        good_since: float | None = None
        before: list[str] = []
        while True:
            status, now = self._look(), self.clock.monotonic()
            lines = status.lines()
            if lines != before:
                for line in lines:
                    if line not in before:
                        self.say(line)
                before, changed = lines, now
            self._note(status, now - began)
            if blame := status.broken(self.topology, partial(self.retries.is_passing, now=now)):
                return status, blame
            calm = now - changed
            good_since = (now if good_since is None else good_since) if good(status) else None
            # Not while nothing changes: there are charms whose messages always do.
            if good_since is not None and now - good_since >= believed:
                return status, None
            if calm >= self.lost_seconds and (blame := status.lost(self.topology)):
                return status, blame
            # Before the steps, it is the steps that they wait for.
            if not settling and calm >= BLOCKED_SECONDS and (blame := status.blocked(self.topology)):
                return status, blame
            if now - began >= minutes * 60 and good_since is None:
                return status, status.overdue(self.topology, minutes, settling=settling)
            self.clock.sleep(LOOK_SECONDS)

    def _look(self) -> Status:
        return JujuPatience(self.say, self.clock)(self.look, lambda _: True)

    def _note(self, status: Status, seconds: float) -> None:
        by_application: dict[str, list[UnitStatus]] = {}
        for name, unit in status.units().items():
            by_application.setdefault(application_of(name), []).append(unit)
        for name, units in by_application.items():
            if all(unit.is_well() for unit in units):
                self.ready.setdefault(name, round(seconds, 2))
            else:
                self.ready.pop(name, None)
