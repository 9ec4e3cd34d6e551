"""How this machine can have sessions: schroot mode for root, unshare mode for users with subordinate ids.

schroot mode: a chroot is a directory, or a directory of differences that lies on another one; a session mounts them
with overlayfs and writes elsewhere.  unshare mode: a chroot is a tarball, which a session unpacks in namespaces of
its own.
"""

from __future__ import annotations

import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.base.run import Word, missing_program, run

Mode = Literal["schroot", "unshare"]
BUILD_USER = "qalab-build"
# A signal that its parent gets is not for the namespace's first process, so none but SIGKILL will do.
PRIVATE = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--pid", "--mount-proc", "--fork", "--kill-child", "--")
HELPER = ("mmdebstrap", "--unshare-helper")
# Run in namespaces of their own, so that nothing needs to be unmounted.
MOUNT_OVERLAY = 'mount -t overlay -o "lowerdir=$2,upperdir=$3/upper,workdir=$3/work" qalab "$3/root"; cd "$3/root"'


@dataclass(frozen=True)
class SessionBackend:
    """The chroot backend of this machine: ``home`` is its directory, ``user`` builds instead of root."""

    mode: Mode
    reason: str
    home: Path
    user: str = ""
    prefix: tuple[str, ...] = ()


def build_user() -> str:
    """Return who builds where root may not use overlays."""
    return environment.variable("QALAB_BUILD_USER") or BUILD_USER


def has_build_user() -> bool:
    """Return whether the build user is there, and has subordinate ids."""
    user = build_user()
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    tables = Path("/etc/subuid"), Path("/etc/subgid")
    return all(path.exists() and f"\n{user}:" in f"\n{path.read_text()}" for path in tables)


def make_build_user(log: IO[str] | None) -> None:
    """Make the build user, with subordinate ids and a home below /var/lib.  Only root can."""
    home = f"/var/lib/{build_user()}"
    options = ["--system", "--user-group", "--add-subids-for-system", "--create-home", "--home-dir", home]
    run(["useradd", *options, "--shell", "/usr/sbin/nologin", build_user()], log=log)


def find_backend() -> SessionBackend:
    """Return the chroot backend of this machine, or the one that the variable QALAB_CHROOT_MODE selects.

    Raises ConfigurationError when there is none.
    """
    requested = environment.variable("QALAB_CHROOT_MODE") or ""
    if requested not in {"", "schroot", "unshare"}:
        raise ConfigurationError(f"QALAB_CHROOT_MODE={requested}: no such mode", hint="known: schroot, unshare")
    _need("sbuild", "mmdebstrap")
    home = environment.cache_home() / "chroots"
    if requested == "unshare":
        return _unshare(home, "QALAB_CHROOT_MODE says so")
    if not (problem := _overlay_lack(home)):
        _need("schroot")
        return SessionBackend("schroot", "this is root, and overlayfs works", home, prefix=PRIVATE)
    if requested == "schroot":
        raise ConfigurationError(f"QALAB_CHROOT_MODE=schroot: {problem}", hint="unset it: unshare mode may do")
    return _unshare(home, problem)


def mode() -> tuple[Mode, str]:
    """Return the mode, schroot or unshare, and why.  Raises ConfigurationError when this machine can do neither."""
    way = find_backend()
    return way.mode, way.reason


def _need(*programs: str) -> None:
    for program in programs:
        if not environment.find_program(program):
            raise missing_program(program)


@contextmanager
def remains_swept(home: Path, prefix: str) -> Iterator[None]:
    """Remove what killed processes have left, whose paths begin so; no other process makes such a directory meanwhile."""
    with files.locked(home / f"locks/{Path(prefix).name}.lock"):
        for path in home.glob(f"{prefix}-*"):
            shutil.rmtree(path, ignore_errors=True)
        yield


def _overlay_lack(home: Path) -> str:
    """Return why a session cannot be an overlay; empty when it can."""
    if not environment.is_root():
        return "this is not root"
    home.mkdir(parents=True, exist_ok=True)
    with (
        remains_swept(home, "overlay"),
        tempfile.TemporaryDirectory(prefix="overlay-", dir=home) as directory,
    ):
        place = Path(directory)
        for name in ("lower", "upper", "work", "root"):
            (place / name).mkdir()
        argv: list[Word] = [*PRIVATE, "sh", "-euc", MOUNT_OVERLAY, "sh", "", place / "lower", place]
        return "" if run(argv, check=False) else f"overlayfs does not work in {home}"


def _unshare(home: Path, reason: str) -> SessionBackend:
    user = ""
    prefix: tuple[str, ...] = ()
    if environment.is_root():
        user = build_user()
        if not has_build_user():
            problem = f"{reason}; and there is no user {user} with subordinate ids"
            raise ConfigurationError(problem, hint="./qalab setup makes it")
        account = pwd.getpwnam(user)
        home = Path(account.pw_dir) / "chroots"
        private = PRIVATE if run([*PRIVATE, "true"], check=False) else ()
        prefix = (*private, "setpriv", "--reuid", user, "--regid", str(account.pw_gid), "--init-groups",
                  "--pdeathsig", "TERM", "--")  # fmt: skip
    _need("newuidmap", "zstd")
    if not run([*prefix, *HELPER, "true"], cwd=Path("/"), check=False):
        hint = "it needs lines in /etc/subuid and /etc/subgid, and a kernel that allows user namespaces"
        raise ConfigurationError(f"{reason}; and {user or 'this user'} cannot use user namespaces", hint=hint)
    return SessionBackend("unshare", reason, home, user, prefix)
