"""A tarball that a command of upstream's makes (make dist, dzil build, npm pack), in a clean chroot.

Upstream's code runs there as an ordinary user, in a session that is thrown away, never on the host.  It works in a
clone at the commit that has its tags, so a project that asks git for its version finds it.
A part of the step `snapshot`.
"""

from __future__ import annotations

import base64
import re
import shlex
import tarfile
from collections.abc import Sequence
from pathlib import Path

from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.git import readable
from lab.base.run import ProgramFailed, TimedOut
from lab.results.apt_log import complaint
from lab.store.step import StepContext
from scripts.chroots.bootstrap import APT_GET, update
from scripts.chroots.chroots import Chroots
from scripts.upstream.sdist import checkout
from scripts.upstream.submodules import CommitTree

# Statuses that no shell gives by itself: installing failed, the command failed, not one new tarball.
INSTALL, COMMAND, COUNT = 71, 72, 73
USER_ID = 1234
# $command, $install and $environment are filled in; standard input is a tar of the clone, standard output the tarball.
SCRIPT = """\
exec 3>&1 >&2
mkdir -p /build/home /build/tree
tar --extract --directory /build/tree
{{ {update}{install}; }} || exit {INSTALL}
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


def make(context: StepContext, trees: Sequence[CommitTree], committed: int, work: Path) -> Path:
    """Return the tarball that ``orig.command`` makes of a checkout of ``trees`` (the first has the project).

    Raises ConfigurationError without a command, Failed where it fails or makes not exactly one new tarball,
    InfrastructureError where its packages cannot be installed.
    """
    command = context.component.orig.command
    if not command:
        hint = "a shell command that makes one tarball: make dist, dzil build, npm pack"
        raise ConfigurationError(f"orig.command of {context.component_name}: is not set, and orig.method is command",
                                 hint=hint)  # fmt: skip
    packed = _packed(context, trees, work)
    script = script_of(command, context.component.orig.packages, committed)
    made = work / "made.tar"
    made.write_bytes(base64.b64decode(_run(context, script, packed, command)))
    if not tarfile.is_tarfile(made):
        raise Failed(f"{command}: what it made is no tarball")
    return made


def script_of(command: str, packages: Sequence[str], committed: int) -> str:
    """Return the script that runs a command in a chroot."""
    return SCRIPT.format(
        update=update(None).replace("\n", " && "),
        install=f"{APT_GET} install git {shlex.join(packages)}".rstrip(),
        command=shlex.quote(command),
        environment=f"SOURCE_DATE_EPOCH={committed} TZ=UTC LC_ALL=C.UTF-8",
        INSTALL=INSTALL, COMMAND=COMMAND, COUNT=COUNT, USER_ID=USER_ID,
    )  # fmt: skip


def _packed(context: StepContext, trees: Sequence[CommitTree], work: Path) -> bytes:
    source, packed = work / "source", work / "source.tar"
    for tree in trees:
        checkout(context, tree, source / tree.path)
    context.sh(["tar", "--create", "--file", packed, "--directory", source, "."])
    return packed.read_bytes()


def _run(context: StepContext, script: str, packed: bytes, command: str) -> str:
    """Return what a script prints in a clean chroot of the series."""
    chroots, minutes = Chroots.here(context.log), context.component.build.timeout_minutes
    with (
        chroots.base(context.series_name, context.series) as base,
        chroots.session(f"{context.run.id} dist", base) as session,
    ):
        mark = context.log.tell()
        try:
            return session.shell(script, stdin=packed, capture=True, timeout=60 * minutes).stdout
        except TimedOut:
            raise Failed(f"{command}: did not end within {minutes} minutes") from None
        except ProgramFailed as error:
            lines = Path(context.log.name).read_bytes()[mark:].decode("utf-8", "replace").splitlines()
            raise failure(command, error.result.returncode, lines) from error


def failure(command: str, status: int, lines: Sequence[str]) -> Failed | InfrastructureError:
    """Return the error for a script that ended with a status, from what it printed."""
    if status == INSTALL:
        return InfrastructureError(f"the packages for {command} cannot be installed: {complaint(list(lines))}")
    if status == COUNT:
        found = [readable(line) for line in lines[1 + max(_where(lines, "new tarballs:"), 0) :]]
        return Failed(f"{command}: makes {len(found)} tarballs, not one{': ' * bool(found)}{', '.join(found)}")
    if status == COMMAND:
        said = [readable(line) for line in lines if line.strip() and not re.match(r"\+ ", line)]
        return Failed(f"{command}: failed: {said[-1] if said else 'it says nothing'}")
    return InfrastructureError(f"{command}: the session in the chroot ended with status {status}")


def _where(lines: Sequence[str], text: str) -> int:
    return next((number for number, line in enumerate(lines) if line == text), -1)
