"""Sessions: throw-away copies of a chroot, and how this machine can have them.

schroot mode (root): a chroot is a directory, or a directory of differences that lies on another one;
a session mounts them with overlayfs and writes elsewhere.  unshare mode (an ordinary user with
subordinate ids): a chroot is a tarball, which a session unpacks in namespaces of its own.

As root, all that works in a session lives in process and mount namespaces of its own too, and the
kernel ends those with us, SIGKILL included: nothing goes on and nothing stays mounted.  What files a
killed session has left is removed by the next one; a session is alive while its lock is held.
"""

from __future__ import annotations

import pwd
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.base.run import Result, Runner, Word, echo, missing_program, run

Mode = Literal["schroot", "unshare"]
BUILD_USER = "qalab-build"
PREFIX = "qalab-"
SCHROOT_CONFIGURATION = Path("/etc/schroot/chroot.d")
SCRATCH = Path("/var/tmp")  # noqa: S108 - not /tmp, which may be small; names in it are mkdtemp's
# A signal that its parent gets is not for the namespace's first process, so none but SIGKILL will do.
PRIVATE = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--pid", "--mount-proc", "--fork", "--kill-child", "--")
HELPER = ("mmdebstrap", "--unshare-helper")

# schroot's own profile for sbuild, but for a /build outside of the session: there it outlived a kill.
FSTAB = """\
/proc /proc none rw,bind 0 0
/sys /sys none rw,bind 0 0
/dev/pts /dev/pts none rw,bind 0 0
tmpfs /dev/shm tmpfs defaults 0 0
"""
# Run in namespaces of their own, so that nothing needs to be unmounted.  $1: what to run in the chroot.
MOUNT_OVERLAY = 'mount -t overlay -o "lowerdir=$2,upperdir=$3/upper,workdir=$3/work" qalab "$3/root"; cd "$3/root"'
UNPACK_TARBALL = "mount -t tmpfs -o mode=0755 qalab /mnt; cd /mnt; tar --extract --zstd --file=- <&3"
ENTER = """
umask 022
mkdir -p dev/pts dev/shm proc sys
for device in null zero full random urandom tty; do
    [ -e "dev/$device" ] || : > "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
[ -e dev/fd ] || ln -s /proc/self/fd dev/fd
[ -e dev/ptmx ] || ln -s pts/ptmx dev/ptmx
mount -t devpts -o ptmxmode=666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t proc proc proc
mount --rbind /sys sys
cp --remove-destination /etc/resolv.conf etc/resolv.conf
chroot . /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \\
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -euc "$1" 3<&- 4>&-
"""
PACK_TARBALL = "tar --create --zstd --numeric-owner --one-file-system --exclude=./dev --exclude='./tmp/*' . >&4"
# The user may read and write what its namespaces may not: its home.
OPEN_TARBALLS = 'exec mmdebstrap --unshare-helper sh -euc "$1" sh "$2" 3< "$3" 4> "$4"'


@dataclass(frozen=True)
class SessionBackend:
    """How chroots are used on this machine: ``home`` is where they lie, ``user`` who builds in root's place."""

    mode: Mode
    reason: str
    home: Path
    user: str = ""
    prefix: tuple[str, ...] = ()


def build_user() -> str:
    """Who builds where root may not use overlays."""
    return environment.variable("QALAB_BUILD_USER") or BUILD_USER


def has_build_user() -> bool:
    """Whether the build user is there, and has subordinate ids."""
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
    """The way of this machine, or the one that the variable QALAB_CHROOT_MODE forces.

    Raises ConfigurationError when there is none.
    """
    asked = environment.variable("QALAB_CHROOT_MODE") or ""
    if asked not in {"", "schroot", "unshare"}:
        raise ConfigurationError(f"QALAB_CHROOT_MODE={asked}: no such mode", hint="known: schroot, unshare")
    _need("sbuild", "mmdebstrap")
    home = environment.cache_home() / "chroots"
    if asked == "unshare":
        return _unshare(home, "QALAB_CHROOT_MODE says so")
    if not (lack := _overlay_lack(home)):
        _need("schroot")
        return SessionBackend("schroot", "this is root, and overlayfs works", home, prefix=PRIVATE)
    if asked == "schroot":
        raise ConfigurationError(f"QALAB_CHROOT_MODE=schroot: {lack}", hint="unset it: unshare mode may do")
    return _unshare(home, lack)


def _need(*programs: str) -> None:
    for program in programs:
        if not environment.find_program(program):
            raise missing_program(program)


def _overlay_lack(home: Path) -> str:
    """Why a session cannot be an overlay; empty when it can."""
    if not environment.is_root():
        return "this is not root"
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="overlay-", dir=home) as directory:
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
            lack = f"{reason}; and there is no user {user} with subordinate ids"
            raise ConfigurationError(lack, hint="./qalab setup makes it")
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


@dataclass(frozen=True)
class Session:
    """A throw-away copy of a chroot.

    ``stack``: the directories that it is made of, topmost first, or the one tarball.
    ``path`` is its own place, for whatever it needs and yields.
    """

    way: SessionBackend
    path: Path
    stack: tuple[Path, ...]
    log: IO[str] | None = None
    keep: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def upper(self) -> Path:
        """What was changed (schroot mode)."""
        return self.path / "upper"

    @property
    def scratch(self) -> Path:
        """Where namespaces unpack (unshare mode): subordinate ids may not enter a home."""
        return SCRATCH / self.name

    @property
    def lower(self) -> str:
        return ":".join(map(str, self.stack))

    def run(  # noqa: PLR0913 - as `lab.run.run`, each knob by name
        self,
        argv: Sequence[Word],
        *,
        by: Runner = run,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
        capture: bool = False,
        check: bool = True,
    ) -> Result:
        """Run a program as sessions do, with its home here; see `lab.run.run`, and ``by`` for one from somewhere else."""
        who = {"USER": self.way.user, "LOGNAME": self.way.user} if self.way.user else {}
        env = {"HOME": str(self.path), "TMPDIR": str(self.scratch), **who, **(env or {})}
        return by(
            [*self.way.prefix, *argv],
            log=self.log, cwd=self.path, env=env, keep=self.keep, stdin=stdin, timeout=timeout, capture=capture,
            check=check,
        )  # fmt: skip

    def mark(self, argv: Sequence[Word]) -> int:
        """Where in the log the output of a command is going to begin."""
        command = echo([*self.way.prefix, *argv]).encode("utf-8", "surrogateescape")
        return self.log.tell() + len(command) if self.log else 0

    def said(self, mark: int) -> str:
        """What came into the log since."""
        return Path(self.log.name).read_bytes()[mark:].decode("utf-8", "surrogateescape") if self.log else ""

    def shell(  # noqa: PLR0913 - as `run`
        self,
        script: str,
        *,
        save_as: Path | None = None,
        by: Runner | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
        capture: bool = False,
    ) -> Result:
        """Run a script of sh as root in the session; ``save_as`` gets the outcome as a tarball (unshare mode)."""
        if self.way.mode == "schroot":
            enter = f"{MOUNT_OVERLAY}\n{ENTER}"
            argv: list[Word] = ["sh", "-euc", enter, "sh", script, self.lower, self.path]
        else:
            enter = f"{UNPACK_TARBALL}\n{ENTER}{PACK_TARBALL if save_as else ''}"
            argv = ["sh", "-euc", OPEN_TARBALLS, "sh", enter, script, self.stack[0], save_as or "/dev/null"]
        return self.run(argv, by=by or run, stdin=stdin, timeout=timeout, capture=capture)

    def for_sbuild(self) -> str:
        """What sbuild takes for ``--chroot``; in schroot mode that is a chroot of this session's name, made here."""
        if self.way.mode == "unshare":
            return str(self.stack[0])
        files.write_atomic(self.path / "fstab", FSTAB)
        files.write_atomic(SCHROOT_CONFIGURATION / self.name, schroot_configuration(self))
        return self.name

    def begin(self) -> None:
        """Make the directories that it needs."""
        directories = [self.path / name for name in ("upper", "work", "root", "build")] + [self.scratch]
        for directory in directories:
            _directory(directory)
        if self.way.user:
            run(["chown", "--", f"{self.way.user}:", self.path, *directories], log=self.log)

    def end(self) -> None:
        """Leave nothing behind.  Also for what a killed session has left, if that was only half made."""
        if self.way.mode == "schroot":
            listed = run(["schroot", "--list", "--all-sessions"], capture=True, check=False).stdout.splitlines()
            for session in (line for line in listed if line.startswith(f"session:{self.name}-")):
                run(["schroot", "--end-session", "--force", "--chroot", session], log=self.log, check=False)
            (SCHROOT_CONFIGURATION / self.name).unlink(missing_ok=True)
        elif self.scratch.exists():
            # What is in it belongs to subordinate ids.
            run([*self.way.prefix, *HELPER, "rm", "-rf", "--", *self.scratch.iterdir()], cwd=Path("/"), check=False)
        run(["rm", "-rf", "--", self.scratch, self.path], log=self.log, check=False)


def _directory(path: Path) -> None:
    """A directory that the users of a chroot may enter, whatever our umask."""
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def schroot_configuration(session: Session) -> str:
    """The chroot that sbuild is to use, for schroot.conf(5).

    Users are those of the chroot: what a kept layer's packages have made must not be overwritten.
    """
    layers = f"lowerdir={session.lower},upperdir={session.upper},workdir={session.path / 'work'}"
    return (
        f"[{session.name}]\n"
        "type=directory\n"
        f"directory={session.stack[-1]}\n"
        "union-type=overlay\n"
        f"union-mount-options={layers}\n"
        "root-users=root\n"
        "profile=sbuild\n"
        # schroot takes file names below /etc/schroot only.
        f"setup.fstab=../..{session.path / 'fstab'}\n"
        "setup.nssdatabases=\n"
    )


@contextmanager
def opened(
    way: SessionBackend, name: str, stack: Sequence[Path] = (), *, log: IO[str] | None = None, keep: Sequence[int] = ()
) -> Iterator[Session]:
    """A session whose name starts with ``name``, ended in any case; ``keep``: the locks of what is in the stack."""
    home = way.home / "sessions"
    way.home.mkdir(parents=True, exist_ok=True)
    for directory in (way.home, home):
        _directory(directory)
    sweep(way, log)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    new = Path(tempfile.mkdtemp(prefix="new-", dir=home))
    # It gets its name with its lock held: so nobody takes it for a dead one.
    with files.locked(new / "lock") as lock:
        path = new.rename(home / f"{PREFIX}{slug}-{new.name.removeprefix('new-')}")
        _directory(path)
        session = Session(way, path, tuple(stack), log, (*keep, lock))
        try:
            session.begin()
            yield session
        finally:
            session.end()


def sweep(way: SessionBackend, log: IO[str] | None = None) -> None:
    """End the sessions that killed processes have left."""
    for path in sorted((way.home / "sessions").glob(f"{PREFIX}*")):
        if not files.is_locked(path / "lock"):
            with suppress(files.Busy), files.locked(path / "lock", wait=False):
                Session(way, path, (), log).end()
