"""Clean chroots: one base for each series, and layers with build dependencies installed on top.

A base is made by mmdebstrap, and made again when it is older than the series' ``refresh_days``.  A
layer is a base with build dependencies, kept for the next build that needs the same.  Its key is what apt resolves
on the base now, with all versions: each build asks apt again, and so none starts from a layer that has another
version than a new chroot would have, or one package more.  What the lab's own archive adds, sbuild installs on top in
the session.  Where no layer can be made, sbuild starts from the base, installs the build dependencies itself, and gives
the verdict.

::

    HOME/base-KEY-STAMP[.tar.zst], layer-KEY-STAMP[.tar.zst]    the chroots
    HOME/base-KEY-STAMP.json, ...         what went into one; a chroot without it was never finished
    HOME/locks/base-KEY-STAMP.lock, ...   held shared while somebody uses it
    HOME/locks/base-KEY.lock, ...         held while one is made or chosen: two runs share the work
    HOME/sessions/                        see `scripts.chroots.sessions`
    HOME/kept/                            see `scripts.chroots.kept_sessions`
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed, Word, run
from lab.config import apt
from lab.config.description import Series
from lab.results.apt_log import complaint
from lab.store.records import Stored, rfc3339
from lab.store.step import architecture
from scripts.archives import mirror_cache
from scripts.chroots import kept_sessions, release_dates
from scripts.chroots.backends import SessionBackend, find_backend
from scripts.chroots.bootstrap import Repository, base_argv, layer_script, proxies, resolve_script
from scripts.chroots.sessions import Session, opened

Maker = Callable[[Path], None]  # makes a chroot in a path
Recipe = Callable[..., list[Word]]  # as `scripts.chroots.bootstrap.base_argv` is, but for its builder
MOST_KEPT = {"layer": 60, "image": 6}  # an image has a base, too
UNUSED_DAYS = 30  # a base that no lab asks for any more


def builds() -> Recipe:
    """Return how the base for builds is made: for the user sbuild of this machine."""
    account = pwd.getpwnam("sbuild")
    return partial(base_argv, builder=(account.pw_uid, account.pw_gid))


class ChrootManifest(Stored):
    """The inputs of a chroot, stored in a file next to it."""

    created: str
    of: str


@dataclass(frozen=True)
class Kept:
    """A cached chroot: ``name`` is KIND-KEY-STAMP, ``used`` a Unix time."""

    name: str
    created: datetime
    of: str
    used: float

    @property
    def key(self) -> str:
        return self.name.split("-")[1]


@dataclass(frozen=True)
class Chroot:
    """A kept chroot, locked while it is used; ``ready``: a layer has all build dependencies of an index of ``mirror_date``."""

    path: Path
    key: str
    created: datetime
    reused: bool
    lock: int
    ready: bool = True
    mirror_date: str = ""

    @property
    def age_days(self) -> float:
        return round((environment.now() - self.created).total_seconds() / 86_400, 2)


@dataclass(frozen=True)
class Chroots:
    """The chroots of this machine, as one way uses them."""

    way: SessionBackend
    log: IO[str] | None = None

    @classmethod
    def here(cls, log: IO[str] | None = None) -> Chroots:
        """Return the chroots of this machine.  Raises ConfigurationError when it can have none."""
        return cls(find_backend(), log)

    @property
    def suffix(self) -> str:
        return "" if self.way.mode == "schroot" else ".tar.zst"

    @contextmanager
    def base(
        self, name: str, series: Series, recipe: Recipe | None = None, as_of: datetime | None = None
    ) -> Iterator[Chroot]:
        """Provide the base of a series, made when none is young enough; ``recipe``: the default is that of builds.

        ``as_of``: provide that of this time, as long as it is there.
        Raises InfrastructureError when it cannot be made.
        """
        proxy = proxies()
        words = partial(
            recipe or builds(),
            series.codename or name,
            apt.sources(name, series),
            architecture=architecture(),
        )

        def make(into: Path) -> None:
            with opened(self.way, f"base-{name}", log=self.log) as session:
                target, apt_conf = session.path / f"chroot{self.suffix}", session.path / "apt.conf"
                files.write_atomic(apt_conf, "".join(f"{line}\n" for line in proxy))
                mark = session.mark(argv := words(target=target, apt_conf=apt_conf))
                if not session.run(argv, env=mirror_cache.variables(), check=False):
                    why = complaint(session.said(mark).splitlines())
                    raise InfrastructureError(f"series {name}: no chroot could be made: {why}")
                target.rename(into)

        of, lasts = shlex.join(map(str, words(target=""))), timedelta(days=series.refresh_days)
        with self._provided("base", of, lasts, make, secret="".join(proxy), as_of=as_of) as base:
            yield base

    @contextmanager
    def held_bases(self) -> Iterator[None]:
        """Keep all bases that are there now, even where newer ones replace them."""
        with ExitStack() as held:
            for each in self.kept("base-"):
                held.enter_context(files.locked(self._lock(each.name), shared=True))
            yield

    @contextmanager
    def layer(
        self, base: Chroot, control: str, profiles: Sequence[str], repository: Repository | None, host: str = ""
    ) -> Iterator[Chroot | None]:
        """Provide a base with build dependencies (see `bootstrap.dependencies`) installed; None when they cannot be.

        ``host``: the architecture that a cross build is for.

        Whoever needs the same versions of the same packages gets the same layer: any component, profile or lab.
        Where the lab's archive adds to the distribution's packages, the layer has the latter and is not ``ready``:
        the lab's change with each of its commits.  Where the distribution alone does not do, the layer has both.
        """
        with ExitStack() as held:
            layer = None
            with suppress(ProgramFailed):
                script = partial(layer_script, control, profiles, host=host)
                resolve = partial(self._resolved, base, control, profiles, host)
                (resolved, date), theirs = resolve(repository), repository
                ready = not (repository and f" {repository.origin}:" in resolved)
                if not ready:
                    try:
                        (resolved, date), theirs = resolve(None), None
                    except ProgramFailed:
                        ready = True
                ours = repository.identity if repository and f" {repository.origin}:" in resolved else ""
                of = f"{base.path.name}\n{ours}{f' for {host}' * bool(host)}\n{''.join(sorted(resolved.splitlines(keepends=True)))}"
                made = held.enter_context(self.layered(base, of, script(theirs), prints=resolved))
                layer = replace(made, ready=ready, mirror_date=date)
            yield layer

    def _resolved(
        self, base: Chroot, control: str, profiles: Sequence[str], host: str, repository: Repository | None
    ) -> tuple[str, str]:
        """Return what apt would install on a base, and the date of the mirror.  Raises ProgramFailed."""
        script = resolve_script(control, profiles, repository, host) + release_dates.script()
        with opened(self.way, "resolve", [base.path], log=self.log, keep=[base.lock]) as session:
            return release_dates.split(session.shell(script, capture=True).stdout, repository)

    @contextmanager
    def layered(self, base: Chroot, of: str, script: str, *, prints: str | None = None) -> Iterator[Chroot]:
        """Provide a base in which a script of sh was run.

        ``of``: what it is made of; its first line is the name of the base.  ``prints``: what the script prints, if
        it makes what ``of`` says.  Raises ProgramFailed, and InfrastructureError where it prints something else.
        """

        def make(into: Path) -> None:
            with opened(self.way, "layer", [base.path], log=self.log, keep=[base.lock]) as session:
                target = session.path / f"layer{self.suffix}" if self.suffix else session.upper
                printed = session.shell(script, save_as=target, capture=prints is not None).stdout
                if prints is not None and printed != prints:
                    raise InfrastructureError("the mirror changed while the build dependencies were installed")
                target.rename(into)

        with self._provided("layer", of, timedelta.max, make) as layer:
            yield layer

    @contextmanager
    def image(self, base: Chroot, of: str, make: Maker) -> Iterator[Chroot]:
        """Provide the image of a disk that is made from a base; ``of``: what it is made of, after that base."""
        with self._provided("image", f"{base.path.name}\n{of}", timedelta.max, make) as image:
            yield image

    @contextmanager
    def session(self, name: str, base: Chroot, layer: Chroot | None = None) -> Iterator[Session]:
        """Provide a throw-away copy of a base, or of a layer on it."""
        chroots = [layer, base] if layer else [base]
        stack = [chroot.path for chroot in chroots]
        locks = [chroot.lock for chroot in chroots]
        with opened(self.way, name, stack[:1] if self.suffix else stack, log=self.log, keep=locks) as session:
            yield session

    @contextmanager
    def _provided(  # noqa: PLR0913 - what a chroot is made of, and when
        self, kind: str, of: str, lasts: timedelta, make: Maker, *, secret: str = "", as_of: datetime | None = None
    ) -> Iterator[Chroot]:
        """Provide the newest kept chroot that is made of this, or a new one from ``make``.

        ``secret``, such as the password of a proxy, is not noted.  ``as_of``: the time at which it is the newest.
        """
        key, now = digest(of + secret), as_of or environment.now()
        with ExitStack() as held:
            with files.locked(self._lock(f"{kind}-{key}")):
                kept = self.kept(f"{kind}-{key}-")
                newest = [each for each in kept if each.created <= now][-1:] or kept[-1:]
                reused = any(now - each.created < lasts for each in newest)
                name = newest[0].name if reused else self._keep(f"{kind}-{key}", of, make)
                lock = held.enter_context(files.locked(self._lock(name), shared=True))
                os.utime(self._note(name))
            if not reused:
                self.prune()
            yield Chroot(self._path(name), key, self._read(name).created, reused, lock)

    def _keep(self, kind: str, of: str, make: Maker) -> str:
        now = environment.now()
        name = f"{kind}-{now:%Y%m%d%H%M%S%f}"
        make(self._path(name))
        ChrootManifest(created=rfc3339(now), of=of).write(self._note(name))
        return name

    def kept(self, prefix: str = "") -> list[Kept]:
        """Return the kept chroots, by kind, key and age; not those whose files somebody has removed."""
        found = []
        for path in sorted(self.way.home.glob(f"{prefix}*.json")):
            with suppress(ConfigurationError, FileNotFoundError):  # somebody removes it just now
                if self._path(path.stem).exists():
                    found.append(self._read(path.stem))
        return found

    def _read(self, name: str) -> Kept:
        made = ChrootManifest.read(self._note(name))
        return Kept(name, datetime.fromisoformat(made.created), made.of, self._note(name).stat().st_mtime)

    def prune(self) -> None:
        """Remove bases that are replaced or unused, what is made from them, and the least used of that; nothing in use."""
        kept = self.kept()
        newest = {each.key: each for each in kept if each.name.startswith("base-")}.values()
        bases = {each.name for each in newest if environment.now().timestamp() - each.used < UNUSED_DAYS * 86_400}
        made = sorted((each for each in kept if each.of.partition("\n")[0] in bases), key=lambda each: each.used)
        good = bases | kept_sessions.in_use(self.way.home)
        for kind, most in MOST_KEPT.items():
            good |= {*[each.name for each in made if each.name.startswith(f"{kind}-")][-most:]}
        places = (path for kind in ("base", *MOST_KEPT) for path in self.way.home.glob(f"{kind}-*"))
        names = {path.name.partition(".")[0] for path in places}
        for name in sorted(names - good):
            self._remove(name)

    def _remove(self, name: str) -> None:
        # A user of it holds its own lock; a process that makes or chooses one of its kind holds that of the kind.
        kind = self._lock(name.rpartition("-")[0])
        with suppress(files.Busy), files.locked(kind, wait=False), files.locked(self._lock(name), wait=False):
            self._note(name).unlink(missing_ok=True)
            run(["rm", "-rf", "--", self._path(name)], log=self.log)
            self._lock(name).unlink()

    def _path(self, name: str) -> Path:
        return self.way.home / f"{name}{self.suffix}"

    def _note(self, name: str) -> Path:
        return self.way.home / f"{name}.json"

    def _lock(self, name: str) -> Path:
        return self.way.home / "locks" / f"{name}.lock"


def digest(of: str) -> str:
    """Return the key of a chroot that is made of this."""
    return hashlib.sha256(of.encode()).hexdigest()[:12]
