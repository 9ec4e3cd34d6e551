"""Sessions: throw-away copies of a chroot, in the modes of `scripts.chroots.backends`.

As root, the processes of a session live in process and mount namespaces of their own, and the kernel ends those with
this process, SIGKILL included: no process goes on and nothing stays mounted.  The next session removes the files
that a killed one has left; a session is alive while its lock is held.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from lab.base import files
from lab.base.run import Result, Runner, Word, echo, run
from scripts.archives import mirror_cache
from scripts.chroots.backends import HELPER, MOUNT_OVERLAY, SessionBackend, remains_swept

PREFIX = "qalab-"
SCHROOT_CONFIGURATION = Path("/etc/schroot/chroot.d")
SCRATCH = Path("/var/tmp")  # noqa: S108 - not /tmp, which may be small; names in it are mkdtemp's

# schroot's own profile for sbuild, but for a /build outside of the session: there it outlived a kill.
FSTAB = """\
/proc /proc none rw,bind 0 0
/sys /sys none rw,bind 0 0
/dev/pts /dev/pts none rw,bind 0 0
tmpfs /dev/shm tmpfs defaults 0 0
"""
# Run in namespaces of their own, so that nothing needs to be unmounted.  $1: what to run in the chroot.
UNPACK_TARBALL = "mount -t tmpfs -o mode=0755 qalab /mnt; cd /mnt; tar --extract --zstd --file=- <&3"
# The environment in a chroot: nothing of this machine's, such as a directory that is not there.
INSIDE: Final = (
    "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)  # fmt: skip
ENTER = f"""
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
chroot . /usr/bin/env -i ${{http_proxy:+"http_proxy=$http_proxy"}} {" ".join(INSIDE)} sh -euc "$1" 3<&- 4>&-
"""
PACK_TARBALL = "tar --create --zstd --numeric-owner --one-file-system --exclude=./dev --exclude='./tmp/*' . >&4"
# The user may read and write what its namespaces may not: its home.
OPEN_TARBALLS = 'exec mmdebstrap --unshare-helper sh -euc "$1" sh "$2" 3< "$3" 4> "$4"'


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
        """The directory of changes (schroot mode)."""
        return self.path / "upper"

    @property
    def scratch(self) -> Path:
        """The directory in which namespaces unpack (unshare mode): subordinate ids cannot enter a home."""
        return SCRATCH / self.name

    @property
    def lower(self) -> str:
        return ":".join(map(str, self.stack))

    def run(  # noqa: PLR0913 - as `lab.base.run.run`, each option by name
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
        """Run a program as sessions do, with its home here; see `lab.base.run.run`; ``by`` runs it instead."""
        identity = {"USER": self.way.user, "LOGNAME": self.way.user} if self.way.user else {}
        env = {"HOME": str(self.path), "TMPDIR": str(self.scratch), **identity, **(env or {})}
        return by(
            [*self.way.prefix, *argv],
            log=self.log, cwd=self.path, env=env, keep=self.keep, stdin=stdin, timeout=timeout, capture=capture,
            check=check,
        )  # fmt: skip

    def mark(self, argv: Sequence[Word]) -> int:
        """Return where in the log the output of a command will begin."""
        command = echo([*self.way.prefix, *argv]).encode("utf-8", "surrogateescape")
        return self.log.tell() + len(command) if self.log else 0

    def said(self, mark: int) -> str:
        """Return the text written to the log since the mark."""
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
        way_out = {} if by else mirror_cache.variables()  # a person's shell has no proxy that ends with this process
        return self.run(argv, by=by or run, env=way_out, stdin=stdin, timeout=timeout, capture=capture)

    def for_sbuild(self, mounts: Sequence[str] = ()) -> str:
        """Return what sbuild takes for ``--chroot``; in schroot mode that is a chroot of this session's name, made here.

        ``mounts``: more lines of its fstab(5), in schroot mode.
        """
        if self.way.mode == "unshare":
            return str(self.stack[0])
        files.write_atomic(self.path / "fstab", FSTAB + "".join(f"{line}\n" for line in mounts))
        files.write_atomic(SCHROOT_CONFIGURATION / self.name, schroot_configuration(self))
        return self.name

    def begin(self) -> None:
        """Make the directories that it needs."""
        directories = [self.path / name for name in ("upper", "work", "root", "build")] + [self.scratch]
        for directory in directories:
            _directory(directory)
        if self.way.user:
            run(["chown", "--", f"{self.way.user}:", self.path, *directories], log=self.log)

    def end_schroot(self) -> None:
        """End the sessions of schroot, and remove their configuration; the files stay."""
        listed = run(["schroot", "--list", "--all-sessions"], capture=True, check=False).stdout.splitlines()
        for session in (line for line in listed if line.startswith(f"session:{self.name}-")):
            run(["schroot", "--end-session", "--force", "--chroot", session], log=self.log, check=False)
        (SCHROOT_CONFIGURATION / self.name).unlink(missing_ok=True)

    def end(self) -> None:
        """Remove everything of the session, also of one that was killed while it began; nothing of a kept one."""
        if not self.path.exists():  # `scripts.chroots.kept_sessions` has moved it
            return
        if self.way.mode == "schroot":
            self.end_schroot()
        elif self.scratch.exists():
            # The files belong to subordinate ids.
            run([*self.way.prefix, *HELPER, "rm", "-rf", "--", *self.scratch.iterdir()], cwd=Path("/"), check=False)
        run(["rm", "-rf", "--", self.scratch, self.path], log=self.log, check=False)


def _directory(path: Path) -> None:
    """Make a directory that the users of a chroot may enter, whatever the umask."""
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def schroot_configuration(session: Session) -> str:
    """Return the chroot that sbuild uses, as schroot.conf(5) has it.

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
    """Provide a session whose name starts with ``name``, ended in any case; ``keep``: the locks of its stack."""
    home = way.home / "sessions"
    way.home.mkdir(parents=True, exist_ok=True)
    for directory in (way.home, home):
        _directory(directory)
    sweep(way, log)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    with ExitStack() as held:
        with remains_swept(way.home, "sessions/new"):
            new = Path(tempfile.mkdtemp(prefix="new-", dir=home))
            # The rename happens with the lock held, so no other process removes the session as dead.
            lock = held.enter_context(files.locked(new / "lock"))
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
            with suppress(files.Busy), files.locked(path / "lock", wait=False, make=False):
                Session(way, path, (), log).end()
