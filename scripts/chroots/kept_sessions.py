"""Kept sessions: the chroot of a failed build with its changes, for `qalab shell`.

Only schroot mode keeps a session: its changes are a directory, which lies on the chroots that it was made of.  These
stay for as long (`in_use`).  In unshare mode a session is unpacked elsewhere and goes with its build.

::

    HOME/kept/NAME/            the session's directory, moved here when nothing else needs it
    HOME/kept/NAME/kept.json   what it is of; written before the move
    HOME/kept/NAME/lock        held while somebody works in it

``runs.keep_chroots`` and ``runs.keep_chroot_days`` say how many of a lab stay, and for how long.  `bound` removes the
others: when another one is kept, and with `qalab tidy`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.base.run import run
from lab.config.description import Lab
from lab.results.sbuild_log import Reading
from lab.store.records import Stored, rfc3339
from lab.store.run_directory import Run
from lab.store.step import StepContext
from scripts.chroots.backends import SessionBackend
from scripts.chroots.bootstrap import MIRROR_PROXY
from scripts.chroots.sessions import Session

MANIFEST = "kept.json"


class KeptManifest(Stored):
    """kept.json: the run of a kept session, and the chroots that it lies on, topmost first."""

    lab: str
    run: str
    path: str
    created: str
    stack: tuple[str, ...]


@dataclass(frozen=True)
class KeptSession:
    """A kept session on this machine."""

    path: Path
    manifest: KeptManifest

    @property
    def created(self) -> datetime:
        return datetime.fromisoformat(self.manifest.created)

    def session(self, way: SessionBackend, lock: int) -> Session:
        """Return the session, to be used while its lock is held."""
        return Session(way, self.path, tuple(map(Path, self.manifest.stack)), keep=(lock,))


def home() -> Path:
    """Return the directory of the chroots that sessions can be kept on: that of schroot mode."""
    return environment.cache_home() / "chroots"


def wanted(context: StepContext, session: Session) -> int:
    """Return how many sessions of failed builds the lab keeps, this run's among them; 0: none."""
    if session.way.mode != "schroot" or context.component.build.tmpfs:
        return 0
    return max(context.lab.runs.keep_chroots, int(context.run.info.keep_chroot))


def keep(context: StepContext, session: Session, reading: Reading) -> bool:
    """Keep the session of a failed build, and remove those that are over the bound; return whether it is kept.

    A build that failed before anything was unpacked has nothing to look at.
    """
    number = wanted(context, session)
    if not number or reading.verdict != "failed" or not (reading.stage == "build" or reading.timed_out):
        return False
    session.end_schroot()
    (session.upper / MIRROR_PROXY.lstrip("/")).unlink(missing_ok=True)  # the proxy ends with this process
    current = context.run
    manifest = KeptManifest(
        lab=context.lab.lab.name,
        run=current.id,
        path=str(current.path),
        created=rfc3339(environment.now()),
        stack=tuple(map(str, session.stack)),
    )
    manifest.write(session.path / MANIFEST)
    place = session.way.home / "kept"
    place.mkdir(exist_ok=True)
    earlier = _of_run(session.way.home, current)
    session.path.rename(place / session.name)
    if earlier:
        remove(earlier.path)
    for gone in bound(session.way.home, context.lab, number):
        context.say(f"the kept chroot of {gone.manifest.run} is removed")
    context.say(f"the chroot is kept: qalab shell {current.id}")
    return True


def kept(chroots: Path, lab: str = "") -> list[KeptSession]:
    """Return the kept sessions (of a lab), oldest first."""
    found = []
    for path in (chroots / "kept").glob(f"*/{MANIFEST}"):
        with suppress(ConfigurationError):  # somebody removes it just now
            found.append(KeptSession(path.parent, KeptManifest.read(path)))
    return sorted((each for each in found if lab in {"", each.manifest.lab}), key=lambda each: each.created)


def find(chroots: Path, current: Run) -> KeptSession | None:
    """Return the newest kept session of a run; None too where the chroots that it lies on are gone."""
    found = _of_run(chroots, current)
    return found if found and all(Path(path).exists() for path in found.manifest.stack) else None


def _of_run(chroots: Path, current: Run) -> KeptSession | None:
    return next((each for each in reversed(kept(chroots)) if each.manifest.path == str(current.path)), None)


def in_use(chroots: Path) -> set[str]:
    """Return the names of the chroots that kept sessions lie on."""
    return {Path(path).name for each in kept(chroots) for path in each.manifest.stack}


def bound(chroots: Path, lab: Lab, number: int, *, dry_run: bool = False) -> Iterator[KeptSession]:
    """Remove a lab's excess and old sessions, and leftovers of a killed removal; yield them.

    One that somebody works in stays.
    """
    of_lab, age = kept(chroots, lab.lab.name), timedelta(days=lab.runs.keep_chroot_days)
    newest = of_lab[-number:] if number else []
    for each in of_lab:
        if each in newest and environment.now() - each.created <= age:
            continue
        if not files.is_locked(each.path / "lock"):
            yield each
            if not dry_run:
                remove(each.path)
    for path in () if dry_run else (chroots / "kept").glob("*"):
        if not (path / MANIFEST).exists():
            remove(path)


def remove(path: Path) -> None:
    """Remove a kept session, unless somebody works in it; a removal that is killed is finished by the next `bound`."""
    with suppress(files.Busy), files.locked(path / "lock", wait=False, make=False):
        (path / MANIFEST).unlink(missing_ok=True)
        run(["rm", "-rf", "--", path])
