"""A tarball that a command of upstream's makes (make dist, dzil build, npm pack, PEP 517), in a clean chroot.

Upstream's code runs there as an ordinary user, in a session that is thrown away, never on the host.  It works in a
clone at the commit that has its tags, so a project that asks git for its version finds it.  The packages that it needs
are installed in a layer, which the next commit uses again.
A part of the step `snapshot`.
"""

from __future__ import annotations

import base64
import re
import shlex
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.git import readable
from lab.base.run import ProgramFailed, TimedOut
from lab.results.apt_log import complaint, unmet
from lab.results.build_failures import failure_line
from lab.store.step import StepContext
from scripts.chroots.bootstrap import CERTIFICATES
from scripts.chroots.chroots import Chroots
from scripts.upstream.checkout import checkout
from scripts.upstream.submodules import CommitTree

# Statuses that no shell gives by itself: the command failed, not one new tarball.
COMMAND, COUNT = 72, 73
USER_ID = 1234
LONGEST_NAME = 60
# Test dependencies and documentation tools make no tarball.
PROFILES = ("nocheck", "nodoc")
# Standard input is a tar of the clone and of this machine's certificates, standard output the tarball.
SCRIPT = """\
exec 3>&1 >&2
mkdir -p /build/home /etc/ssl/certs
tar --extract --directory /build
[ ! -f /build/certificates ] || cp /build/certificates {CERTIFICATES}
echo dist:x:{USER_ID}:{USER_ID}::/build/home:/bin/sh >> /etc/passwd
echo dist:x:{USER_ID}: >> /etc/group
chown -R {USER_ID}:{USER_ID} /build
cd /build/tree
find . -path ./.git -prune -o -type f -print > /build/before
setpriv --reuid {USER_ID} --regid {USER_ID} --clear-groups --no-new-privs -- \\
    env HOME=/build/home USER=dist LOGNAME=dist {environment} sh -euc {command} < /dev/null || exit {COMMAND}
find . -path ./.git -prune -o -type f \\( -name '*.tar' -o -name '*.tar.*' -o -name '*.tgz' \\) -print > /build/after
grep --fixed-strings --line-regexp --invert-match --file /build/before /build/after > /build/new || :
[ "$(wc --lines < /build/new)" = 1 ] || {{ echo "new tarballs:"; cat /build/new; exit {COUNT}; }}
base64 --wrap=0 "$(cat /build/new)" >&3
"""


@dataclass(frozen=True)
class DistCommand:
    """A shell command that makes a tarball: its name in messages, and the packages that it needs (as in Build-Depends).

    ``failure`` is the error for output of a command that failed.
    """

    name: str
    command: str
    packages: tuple[str, ...]
    failure: Callable[[Sequence[str]], Failed]

    @classmethod
    def of(cls, context: StepContext) -> DistCommand:
        """Return ``orig.command``.  Raises ConfigurationError where it is not set."""
        orig = context.component.orig
        if not orig.command:
            hint = "a shell command that makes one tarball: make dist, dzil build, npm pack"
            where = f"orig.command of {context.component_name}"
            raise ConfigurationError(f"{where}: is not set, and orig.method is command", hint=hint)
        name = readable(orig.command.split("\n")[0])
        name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
        return cls(name, orig.command, orig.packages, lambda lines: Failed(f"{name}: failed: {_last(lines)}"))

    @property
    def control(self) -> str:
        """The control file of a source package that needs the packages, and git."""
        return f"Source: dependencies\nBuild-Depends: {', '.join(('git', *self.packages))}\n"


def make(context: StepContext, dist: DistCommand, trees: Sequence[CommitTree], committed: int, work: Path) -> Path:
    """Return the tarball that a command makes of a checkout of ``trees`` (the first has the project).

    Raises Failed where it fails or makes not exactly one new tarball, InfrastructureError where its packages cannot be
    installed.
    """
    packed = _packed(context, trees, work)
    made = work / "made.tar"
    made.write_bytes(base64.b64decode(_run(context, dist, script_of(dist.command, committed), packed)))
    if not tarfile.is_tarfile(made):
        raise Failed(f"{dist.name}: what it made is no tarball")
    return made


def script_of(command: str, committed: int) -> str:
    """Return the script that runs a command in a chroot."""
    return SCRIPT.format(
        command=shlex.quote(command),
        environment=f"SOURCE_DATE_EPOCH={committed} PYTHONHASHSEED=0 NO_COLOR=1 TZ=UTC LC_ALL=C.UTF-8 "
        f"SSL_CERT_FILE={CERTIFICATES}",
        CERTIFICATES=CERTIFICATES, COMMAND=COMMAND, COUNT=COUNT, USER_ID=USER_ID,
    )  # fmt: skip


def _packed(context: StepContext, trees: Sequence[CommitTree], work: Path) -> bytes:
    source, packed = work / "source", work / "source.tar"
    for tree in trees:
        checkout(context, tree, source / "tree" / tree.path)
    if Path(CERTIFICATES).exists():
        shutil.copyfile(CERTIFICATES, source / "certificates")
    context.sh(["tar", "--create", "--file", packed, "--directory", source, "."])
    return packed.read_bytes()


def _run(context: StepContext, dist: DistCommand, script: str, packed: bytes) -> str:
    """Return what a script prints in a clean chroot of the series that has the packages of a command."""
    chroots, minutes = Chroots.here(context.log), context.component.build.timeout_minutes
    mark = context.log.tell()
    with (
        chroots.base(context.series_name, context.series) as base,
        chroots.layer(base, dist.control, PROFILES, None) as layer,
    ):
        if layer is None:
            lines = _said(context, mark)
            why = unmet("\n".join(lines)) or complaint(lines)
            raise InfrastructureError(f"the packages for {dist.name} cannot be installed: {why}", hint="orig.packages")
        with chroots.session(f"{context.run.id} dist", base, layer) as session:
            mark = context.log.tell()
            try:
                return session.shell(script, stdin=packed, capture=True, timeout=60 * minutes).stdout
            except TimedOut:
                raise Failed(f"{dist.name}: did not end within {minutes} minutes") from None
            except ProgramFailed as error:
                raise failure(dist, error.result.returncode, _said(context, mark)) from error


def _said(context: StepContext, mark: int) -> list[str]:
    return Path(context.log.name).read_bytes()[mark:].decode("utf-8", "replace").splitlines()


def failure(dist: DistCommand, status: int, lines: Sequence[str]) -> Failed | InfrastructureError:
    """Return the error for a script that ended with a status, from what it printed."""
    if any("No space left on device" in line for line in lines):
        return InfrastructureError(f"{dist.name}: no space left on the device")
    if status == COUNT:
        found = [readable(line) for line in lines[1 + max(_where(lines, "new tarballs:"), 0) :]]
        return Failed(f"{dist.name}: makes {len(found)} tarballs, not one{': ' * bool(found)}{', '.join(found)}")
    if status == COMMAND:
        return dist.failure(lines)
    return InfrastructureError(f"{dist.name}: the session in the chroot ended with status {status}")


def _last(lines: Sequence[str]) -> str:
    output = [readable(line) for line in lines if line.strip() and not re.match(r"\+ ", line)]
    return failure_line(output) or (output[-1] if output else "it says nothing")


def _where(lines: Sequence[str], text: str) -> int:
    return next((number for number, line in enumerate(lines) if line == text), -1)
