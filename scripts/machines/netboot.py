"""What a bare machine boots by network: its task, one token for each boot, and the stages that it reports.

A task stays until the machine has done it: each boot before gets it, with a new token, and the former token ends.  Without a
task, a machine boots the root on its disk, so that one that reboots by itself is not restored.

::

    STATE/LAB/machines/NAME/task.json       what is to be done; none when it is done
    STATE/LAB/machines/NAME/boot.json       the last boot
    STATE/LAB/machines/NAME/node.tar        the identity for the task, see `scripts.drivers.systems.identity`
    STATE/LAB/machines/NAME/vmlinuz, restorer.cpio
    STATE/LAB/machines/NAME/kexec.json      why it reboots instead of kexec; none where kexec works
    STATE/LAB/machines/NAME/kernel, initrd  of the system on its disk, for its next boot instead of kexec
"""

from __future__ import annotations

import hmac
import secrets
import shlex
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.machines import BareMachine, Disk
from lab.store.records import Moment, Stored, changed, rfc3339
from lab.store.runs import Store
from scripts.machines import volumes

IDENTITY: Final = "node.tar"
FILES: Final = ("vmlinuz", "restorer.cpio")
OWN: Final = ("kernel", "initrd")
MOST_STAGES: Final = 40
HANDED_OVER: Final = ("switch_root", "kexec", "reboot")
Way = Literal["kexec", "reboot"]


class BootTask(Stored):
    """The restoration of a machine; ``install``: also if the disk has the pristine snapshot already."""

    migrations = dict.fromkeys((1,), lambda data: data)  # the new field has a default
    schema_version: int = Field(2, alias="schema")
    id: str
    until: Moment | Literal[""]
    pristine: str
    series: str
    image: str
    """The tar file of its system."""
    sha256: str
    size: int
    root_size: int
    features: str
    """The features of the file system, for mke2fs."""
    arguments: str
    """The arguments of its kernel, after kexec."""
    install: bool = False
    way: Way | None = None
    """How the kernel of its system is started, also where it is that of the restorer; None: switch_root there."""
    disk: Disk | None = None
    """The disk of lab.yaml now, which the lab server has read once."""


class BootStage(Stored):
    """A stage that a machine reports; ``uptime``: seconds since its kernel started."""

    name: str
    time: Moment
    uptime: float


class Boot(Stored):
    """One boot; ``task``: the id of its task, "" without one; ``own``: of the kernel of the system on the disk."""

    token: str
    task: str
    asked: Moment
    own: bool = False
    fetched: bool = False
    failed: str = ""
    stages: tuple[BootStage, ...] = ()

    @property
    def handed_over(self) -> bool:
        return any(stage.name in HANDED_OVER for stage in self.stages)


class KexecFailure(Stored):
    """A kexec that failed on a machine: it reboots instead."""

    since: str
    why: str

    def __str__(self) -> str:
        return f"reboots instead of kexec since {self.since}: {self.why}"


class BootRefused(Exception):
    """A request that is not served."""


@dataclass(frozen=True)
class MachineBoots:
    """The boots of a machine."""

    store: Store
    name: str

    @property
    def home(self) -> Path:
        return self.store.machine_boots(self.name)

    def give(self, task: BootTask, image: Path, identity: Path) -> None:
        """Give a task, for the next boot.  Raises InfrastructureError when its image has been removed."""
        if not all((image / name).exists() for name in FILES):
            raise InfrastructureError(f"{self.name}: the image {image} is there no more: deploy again")
        with self._locked():
            for name in FILES:
                files.copy_atomic(image / name, self.home / name)
            files.write_atomic(self.home / IDENTITY, identity.read_bytes(), 0o600)
            for name in ("boot.json", *OWN):
                (self.home / name).unlink(missing_ok=True)
            task.write(self.home / "task.json")

    def withdraw(self) -> None:
        with self._locked():
            self._end_task()

    def task(self) -> BootTask | None:
        """Return the task that is to be done; None for none, or one whose end has passed."""
        path = self.home / "task.json"
        task = BootTask.read(path) if path.exists() else None
        return task if task and datetime.fromisoformat(task.until) > environment.now() else None

    def boot(self) -> Boot | None:
        path = self.home / "boot.json"
        return Boot.read(path) if path.exists() else None

    def _last_boot(self) -> Boot | None:
        """Return the boot before a new one, which replaces it; None also for a damaged record."""
        with suppress(ConfigurationError):
            return self.boot()
        return None

    def begin(self) -> Boot:
        """Begin a boot, with a new token.  Raises BootRefused where nothing can be booted."""
        with self._locked():
            if not all((self.home / name).exists() for name in FILES):
                raise BootRefused(f"{self.name} has never been installed: it has no task")
            task, last = self.task(), self._last_boot()
            # Once: the boot after it is that of the restorer.
            own = task is None and bool(last and last.stages and last.stages[-1].name == "reboot")
            token = f"{self.name}-{secrets.token_hex(16)}"
            boot = Boot(token=token, task=task.id if task else "", asked=rfc3339(environment.now()), own=own)
            boot.write(self.home / "boot.json")
        return boot

    def fetch(self, token: str, machine: BareMachine) -> str:
        """Return the task of a boot, once, as variables of sh.  Raises BootRefused for a second time, or another token."""
        with self._locked():
            boot, task = self._boot_of(token), self.task()
            if boot.fetched:
                raise BootRefused(f"{self.name}: the token has been used already")
            if boot.task and (task is None or task.id != boot.task):
                raise BootRefused(f"{self.name}: the task is there no more")
            boot.model_copy(update={"fetched": True}).write(self.home / "boot.json")
        return _variables(machine, task if boot.task else None, reboot=bool(self.kexec_failure()))

    def report(self, token: str, name: str, uptime: float) -> None:
        """Note a stage; with the last one, the task is done."""
        with self._locked():
            boot = self._boot_of(token)
            if len(boot.stages) >= MOST_STAGES:
                raise BootRefused(f"{self.name}: more than {MOST_STAGES} stages of one boot")
            stage = BootStage(name=name, time=rfc3339(environment.now()), uptime=uptime)
            boot = boot.model_copy(update={"stages": (*boot.stages, stage)})
            boot.write(self.home / "boot.json")
            if boot.task and boot.handed_over:
                self._end_task()

    def fail(self, token: str, why: str) -> None:
        with self._locked():
            self._boot_of(token).model_copy(update={"failed": why}).write(self.home / "boot.json")
        if why.startswith("kexec"):
            self.avoid_kexec(why)

    def keep(self, token: str, name: str, data: bytes) -> None:
        """Keep the kernel or the initrd of the system on the disk, for the next boot.  Raises BootRefused."""
        with self._locked():
            self._boot_of(token)
            files.write_atomic(self.home / name, data)

    def kexec_failure(self) -> KexecFailure | None:
        """Return why the machine reboots instead of kexec, as with a damaged record; None when it does not."""
        path = self.home / "kexec.json"
        try:
            return KexecFailure.read(path)
        except ConfigurationError as error:
            if not path.exists():
                return None
            return KexecFailure(since=changed(path), why=f"its record is damaged: {error.args[0]}")

    def avoid_kexec(self, why: str) -> None:
        """Have the machine reboot instead of kexec, from its next boot on."""
        if self.kexec_failure() is None:
            KexecFailure(since=rfc3339(environment.now()), why=why).write(self.home / "kexec.json")

    def allow_kexec(self) -> None:
        (self.home / "kexec.json").unlink(missing_ok=True)

    def image(self, token: str) -> BootTask:
        """Return the task of a boot that may read the system and its identity.  Raises BootRefused."""
        boot, task = self._boot_of(token), self.task()
        if not boot.fetched or task is None or task.id != boot.task:
            raise BootRefused(f"{self.name}: this boot has no such task")
        return task

    def may_read(self, token: str) -> None:
        """Raise BootRefused for a token that is not that of the last boot."""
        self._boot_of(token)

    def _end_task(self) -> None:
        for name in ("task.json", IDENTITY):  # with a secret key
            (self.home / name).unlink(missing_ok=True)

    def _boot_of(self, token: str) -> Boot:
        boot = self.boot()
        if boot is None or not hmac.compare_digest(boot.token.encode(), token.encode()):
            raise BootRefused(f"{self.name}: not the token of its last boot")
        return boot

    def _locked(self) -> AbstractContextManager[int]:
        return files.locked(self.store.lock_path("boots", self.name))


def lab_server_runs(store: Store) -> bool:
    """Return whether `qalab machine serve` runs for a lab on this machine."""
    return files.is_locked(store.lock_path("lab-server"))


def new_id() -> str:
    return secrets.token_hex(8)


def end_of(minutes: float) -> str:
    return rfc3339(environment.now() + timedelta(minutes=minutes))


def _variables(machine: BareMachine, task: BootTask | None, *, reboot: bool) -> str:
    """Return what the restorer reads: see restorer.sh.  ``reboot``: instead of kexec."""
    disk = (task and task.disk) or machine.disk
    assert disk  # noqa: S101 - it is installable
    values = {
        "TASK": "restore" if task else "local",
        "DISK": disk.path,
        "SERIAL": disk.serial or "",
        "DISK_SIZE": str(disk.size or ""),
        "DEVICES": volumes.accepted(disk.path),
        "ACTIVATION": volumes.ACTIVATION,
        "VG": volumes.GROUP,
        "ROOT": volumes.ROOT,
        "WAY": (task and task.way) or ("reboot" if reboot else "kexec"),
        "ALWAYS": str(int(bool(task and task.way))),
        "ARGUMENTS": task.arguments if task else "",
    }
    if task:
        values |= {
            "INSTALL": str(int(task.install)),
            "PRISTINE": task.pristine,
            "BY_INSTALLER": volumes.by_installer(task.series),
            "OLD": volumes.prefix(task.series),
            "NEW": volumes.NEW,
            "POOL": volumes.POOL,
            "POOL_OPTIONS": volumes.POOL_OPTIONS,
            "IMAGE_SIZE": str(task.size),
            "ROOT_SIZE": str(task.root_size),
            "FEATURES": task.features,
        }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
