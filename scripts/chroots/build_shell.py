"""A shell, or a command, in the chroot of a build at its build directory: a kept one, or a new one."""

from __future__ import annotations

import io
import shlex
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from debian.deb822 import Dsc

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import run_attached
from lab.config.components import BuildSettings
from lab.config.description import Lab
from lab.store.run_directory import Run
from scripts.archives.serving import replacing, served
from scripts.chroots.backends import SessionBackend
from scripts.chroots.bootstrap import dependencies, layer_script
from scripts.chroots.chroots import Chroots
from scripts.chroots.kept_sessions import KeptSession
from scripts.chroots.sbuild_command import more_packages
from scripts.chroots.sessions import Session

SHELL: Final = ("bash", "-i")
NO_DIRECTORY = 71
AT_BUILD_DIRECTORY = """\
directory=$(ls -d /build/*/*/debian 2> /dev/null | head -n 1)
[ -n "$directory" ] || exit {NO_DIRECTORY}
cd "${{directory%/debian}}"
exec {words}
"""
PREPARE = """\
mkdir -p /build/source
tar --extract --directory /build/source
{{
{install}cd /build/source
dpkg-source --no-check --extract {dsc} {tree}
chown -R sbuild:sbuild /build
}} < /dev/null
"""


@dataclass(frozen=True)
class Wish:
    """The command to run in the chroot (none: a shell), as root or as the build user."""

    words: tuple[str, ...] = ()
    as_root: bool = False

    def script(self, build: BuildSettings) -> str:
        """Return lines of sh that run it at the build directory, in an environment like that of the build."""
        user = "root" if self.as_root else "sbuild"
        prefix = () if self.as_root else ("setpriv", "--reuid", user, "--regid", user, "--init-groups", "--")
        values = {
            "HOME": "/tmp",  # noqa: S108 - of the chroot
            "USER": user,
            "LOGNAME": user,
            "TERM": environment.variable("TERM") or "dumb",
            "DEB_BUILD_OPTIONS": " ".join(build.options),
            "DEB_BUILD_PROFILES": " ".join(build.profiles),
        }
        env = [f"{name}={value}" for name, value in values.items() if value]
        return AT_BUILD_DIRECTORY.format(
            words=shlex.join([*prefix, "env", *env, *(self.words or SHELL)]), NO_DIRECTORY=NO_DIRECTORY
        )


def in_kept(way: SessionBackend, kept: KeptSession, build: BuildSettings, wish: Wish) -> int:
    """Run a wish in a kept session; return its status.  Raises InfrastructureError when somebody works there."""
    try:
        with files.locked(kept.path / "lock", wait=False) as lock:
            return _status(kept.session(way, lock), build, wish)
    except files.Busy:
        raise InfrastructureError(f"the kept chroot of {kept.manifest.run} is in use by another process") from None


def in_new(lab: Lab, current: Run, chroots: Chroots, wish: Wish) -> int:
    """Run a wish in a new chroot with the build dependencies and the source of a run; return its status.

    Raises ConfigurationError for a run without a source package, InfrastructureError where it cannot be installed.
    """
    info, dsc = current.info, source_of(current)
    series, build = lab.series[info.series], lab.component(info.component, info.track).build
    control = dependencies(dsc.read_text(), more_packages(build))
    with (
        served(lab, info.track, replaces=replacing(lab, info.track)) as repository,
        chroots.base(info.series, series) as base,
        chroots.layer(base, control, build.profiles, repository) as layer,
        chroots.session(f"{current.id} shell", base, layer) as session,
    ):
        target = session.path / "prepared.tar.zst" if session.way.mode == "unshare" else None
        ready = layer is not None and layer.ready
        script = prepare_script(dsc, "" if ready else layer_script(control, build.profiles, repository))
        session.shell(script, save_as=target, stdin=packed(dsc))
        return _status(replace(session, stack=(target,)) if target else session, build, wish)


def source_of(current: Run) -> Path:
    """Return the .dsc of a run.  Raises ConfigurationError when the run has none (any more)."""
    record = current.record("source") if "source" in current.steps else None
    names = [item.path for item in record.artifacts if item.path.endswith(".dsc")] if record else []
    if not names or not (current.path / names[0]).exists():
        raise ConfigurationError(f"{current.id}: has no source package", hint="the step source makes one")
    return current.path / names[0]


def prepare_script(dsc: Path, install: str) -> str:
    """Return lines of sh that unpack a source package (a tar on standard input) and run ``install``."""
    fields = Dsc(dsc.read_text())
    version = str(fields["Version"]).rpartition(":")[
        2
    ]  # without the epoch: make and PATH cannot have a colon in a name
    tree = f"{fields['Source']}-{version.rpartition('-')[0] or version}"
    return PREPARE.format(install=install, dsc=shlex.quote(dsc.name), tree=shlex.quote(tree))


def packed(dsc: Path) -> bytes:
    """Return the files of a source package as a tar."""
    done = io.BytesIO()
    with tarfile.open(fileobj=done, mode="w") as tar:
        for name in (dsc.name, *(item["name"] for item in Dsc(dsc.read_text())["Files"])):
            tar.add(dsc.parent / name, name)
    return done.getvalue()


def _status(session: Session, build: BuildSettings, wish: Wish) -> int:
    status = session.shell(wish.script(build), by=run_attached).returncode
    if status == NO_DIRECTORY:
        raise InfrastructureError("the chroot has no build directory")
    return status
