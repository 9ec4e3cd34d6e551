"""Backups: every item's config.xml, byte for byte, as files of a git repository.

::

    DIR/jobs/NAME/config.xml              a job, or a folder ...
    DIR/jobs/FOLDER/jobs/NAME/config.xml  ... and what is in it, as in Jenkins' own home
    DIR/views/NAME.xml                    a view; DIR/jobs/FOLDER/views/NAME.xml in a folder
    DIR/plugins.txt                       the plugins, NAME:VERSION a line

A backup excludes builds, and items that a folder or a multi-branch project creates itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from generator import mark
from generator.canonical import digest
from generator.items import ItemKey, Keep
from generator.reading import WORKERS, fetch_readable
from generator.secrets import MASKED
from generator.server import Server
from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.git import git, identity, try_git
from lab.config.jenkins_failures import JenkinsForbidden, JenkinsMissing

PLUGINS = "plugins.txt"
PARTS = ("jobs", "views", PLUGINS)
Fate = Literal["there already", "created", "put back"]


@dataclass(frozen=True)
class Backup:
    """A backup directory, in its own or in an existing git repository; ``author`` is the author of the commits."""

    directory: Path
    author: str
    is_private: bool = False
    """True if only this user may read an existing directory, too."""

    def path(self, key: ItemKey) -> Path:
        """Return the path of an item's config.xml.

        Raises InfrastructureError for an invalid name, and for a path with a symbolic link: it leads out of the backup.
        """
        names = key.name.split("/")
        if any(name in {"", ".", ".."} or "\0" in name for name in names):
            raise InfrastructureError(f"{key.name!r}: not a name of a Jenkins item")
        *folders, name = names
        home = self.directory.joinpath(*(part for folder in folders for part in ("jobs", folder)))
        found = home / "jobs" / name / "config.xml" if key.kind == "job" else home / "views" / f"{name}.xml"
        for path in (found, *found.parents[: len(found.relative_to(self.directory).parts) - 1]):
            _refuse_link(path)
        return found

    def contents(self) -> list[ItemKey]:
        """Return the items of the backup, a folder before its content.  Raises InfrastructureError for a symbolic link."""
        found = []
        for part in (self.directory / "jobs", self.directory / "views"):
            for path in (part, *part.rglob("*")):
                _refuse_link(path)
                if path.is_file() and (key := self._key(path)):
                    found.append(key)
        return sorted(found, key=lambda key: (key.kind, key.name.count("/"), key.name))

    def _key(self, path: Path) -> ItemKey | None:
        parts = path.relative_to(self.directory).parts
        folders = parts[1:-2:2]
        if parts[-1] == "config.xml" and set(parts[0:-1:2]) == {"jobs"}:
            return ItemKey("job", "/".join([*folders, parts[-2]] if len(parts) % 2 else []))
        is_view = parts[-1].endswith(".xml")  # and no temporary file of a command that was killed
        if is_view and len(parts) % 2 == 0 and parts[-2] == "views" and set(parts[0:-2:2]) <= {"jobs"}:
            return ItemKey("view", "/".join([*folders, parts[-1].removesuffix(".xml")]))
        return None

    def read(self, key: ItemKey) -> bytes:
        return self.path(key).read_bytes()

    def write(self, key: ItemKey, xml: bytes) -> bool:
        """Write an item, unless the backup has the same bytes; return whether it was written.

        Raises InfrastructureError if it cannot be written: the name of a view can be too long for a file.
        """
        path = self.path(key)
        try:
            if path.exists() and path.read_bytes() == xml:
                return False
            files.write_atomic(path, xml, mode=0o600)  # a job can contain secrets
        except OSError as error:
            raise InfrastructureError(f"{path}: cannot be written: {error.strerror}") from None
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock of the directory.  Raises InfrastructureError if another process holds it.

        In a private one, what a command that was killed has kept is committed first: the next command writes over it.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.is_private:
            self.directory.chmod(0o700)
        try:
            with files.locked(self.directory / ".lock", wait=False):
                if not try_git(["rev-parse", "--git-dir"], cwd=self.directory):
                    git(["init", "--quiet", "--initial-branch=main", self.directory])
                for stale in (self.directory / ".git").glob("*.lock"):  # left by a git that was killed
                    stale.unlink()
                exclude = Path(git(["rev-parse", "--git-path", "info/exclude"], cwd=self.directory))
                exclude = self.directory / exclude
                if not exclude.exists() or "/.lock" not in exclude.read_text().split():
                    files.write_atomic(exclude, ".lock\n")
                if self.is_private:
                    self.commit("Left by a command that was killed")
                yield
        except files.Busy:
            raise InfrastructureError(f"{self.directory}: another process works on this backup") from None

    def commit(self, message: str) -> str:
        """Commit all changes; return the commit's id, "" if nothing changed."""
        before = {name for name in PARTS if self._tracks(name)}
        if there := [name for name in PARTS if name in before or (self.directory / name).exists()]:
            git(["add", "--all", "--", *there], cwd=self.directory)
        there = [name for name in there if name in before or self._tracks(name)]  # git knows no empty directory
        if not there or try_git(["diff", "--cached", "--quiet", "--", *there], cwd=self.directory):
            return ""
        who = identity(self.author, int(environment.now().timestamp()))
        git(["commit", "--quiet", "--message", message, "--", *there], cwd=self.directory, env=who)
        return git(["rev-parse", "HEAD"], cwd=self.directory)

    def _tracks(self, name: str) -> bool:
        return bool(try_git(["ls-files", "--error-unmatch", "--", name], cwd=self.directory))


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise InfrastructureError(f"{path}: is a symbolic link, which no backup contains", hint="remove it")


@dataclass(frozen=True)
class Saved:
    """The result of a backup; ``failures``: the items that could not be saved, whose earlier copies stay."""

    items: int
    changed: int
    removed: int
    commit: str
    has_plugins: bool
    failures: Mapping[ItemKey, LabError]


def save(server: Server, backup: Backup) -> Saved:
    """Write the present state of a Jenkins to a directory, and commit the changes.

    Raises ConfigurationError if the server shows nothing, and the directory has copies.
    """
    with backup.held():
        listed, copies = server.listing(), backup.contents()
        if copies and not listed:
            hint = "may the account read jobs (Job/Read)?  for another Jenkins, name another directory"
            raise ConfigurationError(
                f"{server.url}: shows no items, and {backup.directory} has {len(copies)}: all copies stay", hint=hint
            )
        configs, failures = fetch_readable(server, sorted(listed))
        changed = 0
        for key, xml in configs.items():
            try:
                _refuse_masked(key, xml)
                changed += backup.write(key, xml)
            except LabError as error:
                failures[key] = error
        stale = [key for key in copies if key not in configs and key not in failures]
        for key in stale:
            backup.path(key).unlink()
        plugins = "".join(f"{name}:{version}\n" for name, version in sorted(_plugins(server).items()))
        if plugins:
            files.write_atomic(backup.directory / PLUGINS, plugins)
        saved = len(configs.keys() - failures.keys())
        said = f"{server.url}: {saved} items, {changed} changed, {len(stale)} removed"
        said += f", {len(failures)} not saved" if failures else ""
        return Saved(saved, changed, len(stale), backup.commit(said), bool(plugins), failures)


def _refuse_masked(key: ItemKey, xml: bytes) -> None:
    """Raise ConfigurationError for a config.xml without its secrets: a restore would store the mask in their place."""
    if MASKED in xml:
        hint = "Jenkins shows secrets to accounts with Job/Configure alone"
        raise ConfigurationError(f"{key}: has ******** for a secret", hint=hint)


def _plugins(server: Server) -> Mapping[str, str]:
    try:
        return server.plugins()
    except JenkinsForbidden:
        return {}


@dataclass(frozen=True)
class RestoredItem:
    """The result for an item; ``exact``: the server has the same bytes, and not only an equivalent config.xml."""

    key: ItemKey
    fate: Fate | None
    exact: bool = False
    error: LabError | None = None


def restore(
    server: Server, backup: Backup, keep: Keep, names: Sequence[str] = (), *, owner: str = ""
) -> list[RestoredItem]:
    """Restore all items of the backup, or the named ones; nothing else changes.

    ``keep`` receives the present config.xml before it is overwritten.  An item that another lab manages meanwhile stays;
    the ``owner`` restores copies of before it adopted an item.
    Raises ConfigurationError for a name that the backup does not contain.
    """
    keys = backup.contents()
    if not keys:
        raise ConfigurationError(f"{backup.directory}: is no backup: it has neither jobs nor views")
    if unknown := [name for name in names if name not in {key.name for key in keys}]:
        raise ConfigurationError(f"{backup.directory}: has no {unknown[0]}", hint=f"known: {_few(keys)}")
    chosen = [key for key in keys if not names or key.name in names]

    def stage(key: ItemKey) -> tuple[str, int]:
        return key.kind, key.name.count("/") if key.kind == "job" else 0

    results: list[RestoredItem] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for _, group in groupby(chosen, key=stage):
            results += pool.map(lambda key: _restored(server, key, backup, keep, owner), list(group))
    return results


def _restored(server: Server, key: ItemKey, backup: Backup, keep: Keep, owner: str) -> RestoredItem:
    try:
        xml = backup.read(key)
        wanted = digest(xml)  # before the first request: a damaged copy is not sent
        fate = _put_back(server, key, xml, keep, owner)
        there = server.config(key)
        if digest(there) != wanted:
            raise InfrastructureError(f"{key}: Jenkins stored something else")
        return RestoredItem(key, fate, there == xml)
    except LabError as error:
        return RestoredItem(key, None, error=error)


def _put_back(server: Server, key: ItemKey, xml: bytes, keep: Keep, owner: str) -> Fate:
    try:
        there = server.config(key)
    except JenkinsMissing:
        server.create(key, xml)
        return "created"
    if there == xml:
        return "there already"
    now, then = mark.read(there), mark.read(xml)
    if now and now.lab != (then.lab if then else owner):
        whose = f"of the lab {then.lab}'s" if then else "of no lab's"
        hint = f"the copy is {whose}; adopt --from {now.lab} takes the item over"
        raise ConfigurationError(f"{key}: is the lab {now.lab}'s, and stays", hint=hint)
    keep(key, there)
    server.update(key, xml)
    return "put back"


def _few(keys: Iterable[ItemKey]) -> str:
    names = [key.name for key in keys]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004
