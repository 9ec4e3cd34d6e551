"""Restoring one bare machine: power off, verified; its task; power on; then its stages, until it answers by ssh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any, Final

from lab.base import environment, files
from lab.base.clock import Clock
from lab.base.errors import InfrastructureError
from lab.base.run import LONGEST
from lab.base.text import plain
from lab.store import leases, restorations
from lab.store.records import rfc3339
from lab.store.restorations import Restoration
from scripts.drivers.ssh.connection import SshMachine
from scripts.drivers.systems import login
from scripts.machines.netboot import Boot, BootTask, KexecFailure, MachineBoots, lab_server_runs
from scripts.machines.power import PowerSwitch

ATTEMPTS: Final = 2
LOOK_SECONDS: Final = 0.3
LAST_LINES: Final = 3
RESTART_SECONDS: Final = 30.0  # in which an ended lab server can be back


class MachineNotUp(InfrastructureError):
    """A machine that does not come up, though its power switch works."""


class MachineTaken(InfrastructureError):
    """A machine that was released, and that somebody else can have by now: it has not failed."""


def last_words(console: Path | None) -> str:
    """Return the last lines of a machine's console, as one line."""
    if console is None or not console.exists():
        return "no console is known"
    if not console.is_file():  # a pipe or a terminal would be waited for
        return "its console is no file"
    try:
        text = plain(files.end_of(console, 20_000))
    except OSError as error:  # it would hide what it is about
        return f"its console cannot be read: {error.strerror}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-LAST_LINES:])[-LONGEST:] or "its console says nothing"


@dataclass(frozen=True)
class MachineRestoration:
    """The restoration of a machine as a node; ``give``: gives it its task."""

    boots: MachineBoots
    switch: PowerSwitch
    node: SshMachine
    give: Callable[[MachineBoots], BootTask]
    minutes: float
    console: Path | None = None
    clock: Clock = field(default_factory=Clock)
    ended: Event = field(default_factory=Event)
    """Set where nobody waits for it any more."""
    owner: str = ""
    """Of its lease; "" for one that needs none."""

    @property
    def name(self) -> str:
        return self.boots.name

    def bring_up(self) -> dict[str, float]:
        """Restore it; return the seconds from the power on to the end of each stage.

        It is tried again once.  Raises MachineNotUp, and InfrastructureError for its power switch.
        """
        known = self.boots.kexec_failure()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                seconds = self._once(known)
            except InfrastructureError as error:
                if not isinstance(error, MachineTaken):  # who has it is not published
                    self._note(failed=str(error))
                if not isinstance(error, MachineNotUp):
                    raise
                if attempt == ATTEMPTS:
                    raise MachineNotUp(f"{error}; tried {ATTEMPTS} times") from None
            else:
                *_, way, _ = seconds
                self._note(seconds=seconds["ssh"], way=way, installed="installed" in seconds)
                return seconds
            finally:  # it is done, or nobody waits for it any more
                self.boots.withdraw()
        raise AssertionError

    def _note(self, **found: Any) -> None:
        one = Restoration(finished=rfc3339(environment.now()), **found)
        restorations.note(self.boots.store, self.name, one)

    def _once(self, known: KexecFailure | None) -> dict[str, float]:
        self.node.hang_up()
        self._check_lease()
        self.switch.switch("off")
        task = self.give(self.boots)
        start, last = environment.now(), self.clock.monotonic() + self.minutes * 60
        self.switch.switch("on")
        boot = self._handed_over(task, last)
        while why := login.missing(self.node):
            now = self.boots.boot()
            if now and now.token == boot.token and now.failed:
                raise MachineNotUp(f"{self.name}: {now.failed}")
            if self.clock.monotonic() > last:
                self._judge(boot.stages[-1].name, known)
                raise MachineNotUp(f"{self.name}: does not boot after {boot.stages[-1].name}: {why}: {self._words}")
            self._pause()
        self._check_lease()
        times = {"asked": boot.asked, **{stage.name: stage.time for stage in boot.stages}}
        seconds = {name: (datetime.fromisoformat(time) - start).total_seconds() for name, time in times.items()}
        return {name: round(at, 1) for name, at in seconds.items()} | {
            "ssh": round((environment.now() - start).total_seconds(), 1)
        }

    def _handed_over(self, task: BootTask, last: float) -> Boot:
        served = self.clock.monotonic()
        while True:
            now = self.clock.monotonic()
            served = now if lab_server_runs(self.boots.store) else served
            if now - served > RESTART_SECONDS:
                raise InfrastructureError(f"{self.name}: the lab server ended")
            boot = self.boots.boot()
            if boot and boot.task == task.id and boot.failed:
                raise MachineNotUp(f"{self.name}: {boot.failed}")
            if boot and boot.task == task.id and boot.handed_over:
                return boot
            if self.clock.monotonic() > last:
                if boot is None:
                    raise MachineNotUp(f"{self.name}: has power and asked the lab server for nothing: {self._words}")
                at = boot.stages[-1].name if boot.stages else "the boot script"
                raise MachineNotUp(f"{self.name}: stopped after {at}: {self._words}")
            self._pause()

    def _check_lease(self) -> None:
        """Raise MachineTaken where the machine was released, and where somebody else has taken it then."""
        lease = leases.current(self.boots.store, self.name)
        if self.owner and (lease is None or lease.owner != self.owner):
            raise MachineTaken(f"{self.name} is {lease or 'released'}")

    def _judge(self, stage: str, known: KexecFailure | None) -> None:
        """Note for the next boots whether kexec is to blame; ``known``: what was noted before this restoration."""
        if stage == "kexec":
            self.boots.avoid_kexec("kexec: its system does not answer")
        elif stage == "reboot" and known is None:  # its system does not answer without kexec either
            self.boots.allow_kexec()

    def _pause(self) -> None:
        if self.ended.is_set():
            raise InfrastructureError(f"{self.name}: its restoration was ended")
        self.clock.sleep(LOOK_SECONDS)

    @property
    def _words(self) -> str:
        return last_words(self.console)
