"""The command line and the configuration of sbuild."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.base.run import Word
from lab.config.components import BuildSettings
from scripts.archives import mirror_cache
from scripts.chroots.backends import Mode
from scripts.chroots.bootstrap import Repository
from scripts.chroots.build_target import BuildTarget

CCACHE_PATH: Final = "/usr/lib/ccache:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# sbuild's build directory has another name each time: paths below it are relative to ccache.
CCACHE: Final = {
    "CCACHE_DIR": "/var/cache/ccache",
    "CCACHE_BASEDIR": "/build",
    "CCACHE_NOHASHDIR": "1",
    "CCACHE_MAXSIZE": "5G",
}
# The build dependencies are in the chroot as apt resolves them now.  dpkg-checkbuilddeps(1) looks once more.
READY: Final = ("--build-dep-resolver=null", "--no-apt-update", "--no-apt-upgrade", "--no-apt-distupgrade")
KEEP_FAILED: Final = tuple(f"--purge-{what}=successful" for what in ("build", "deps", "session"))


def configuration(build: BuildSettings, mode: Mode, scratch: Path) -> str:
    """Return a ~/.sbuildrc: the settings that sbuild takes from no option."""
    values = {"DEB_BUILD_OPTIONS": " ".join(build.options)} if build.options else {}
    values |= CCACHE if build.ccache else {}
    variables = ", ".join(f"'{name}' => q({value})" for name, value in values.items())
    # In schroot mode the default is the caller, root.  In unshare mode it is to be the caller.
    builder = "$build_user = 'sbuild';\n" if mode == "schroot" else ""
    path = f"$path = '{CCACHE_PATH}';\n" if build.ccache else ""
    return (
        f"{builder}"
        f"$build_environment = {{ {variables} }};\n"
        f"{path}"
        "$bd_uninstallable_explainer = 'none';\n"  # apt reports it; the default installs a solver for that
        f"$stalled_pkg_timeout = {build.timeout_minutes};\n"
        f"$unshare_tmpdir_template = '{scratch}/XXXXXXXXXX';\n"
        "1;\n"
    )


def check_mode(component: str, build: BuildSettings, mode: Mode) -> None:
    """Raise ConfigurationError for settings that need schroot mode, in another one."""
    named = [name for name, value in (("ccache", build.ccache), ("tmpfs", build.tmpfs)) if value]
    if named and mode != "schroot":
        hint = "run qalab as root, on a file system with overlayfs; or leave the setting out"
        raise ConfigurationError(f"build.{named[0]} of {component}: needs schroot mode, this is {mode}", hint=hint)


def mounts(lab: str, component: str, build: BuildSettings) -> list[str]:
    """Return the lines of fstab(5) that a build's settings need; make the directory of its ccache."""
    lines = [f"tmpfs /build tmpfs size={build.tmpfs}G,mode=0755 0 0"] if build.tmpfs else []
    if build.ccache:
        cache = environment.cache_home() / "ccache" / lab / component
        cache.mkdir(parents=True, exist_ok=True)
        account = pwd.getpwnam("sbuild")  # the user who builds has the same ids in the chroot
        os.chown(cache, account.pw_uid, account.pw_gid)
        lines.append(f"{cache} {CCACHE['CCACHE_DIR']} none rw,bind 0 0")
    return lines


def build_argv(  # noqa: PLR0913 - what a build is, by name
    dsc: Path,
    *,
    mode: Mode,
    chroot: str,
    codename: str,
    target: BuildTarget,
    build_dir: Path,
    profiles: Sequence[str] = (),
    repository: Repository | None = None,
    keep: bool = False,
    more: Sequence[str] = (),
    ready: bool = False,
) -> list[Word]:
    """Return the command line of sbuild; ``keep``: what a failed build leaves stays in its session.

    ``more``: packages to install besides the build dependencies.  ``ready``: the chroot has all of them.
    """
    # --extra-repository-key would have sbuild run gpg with sudo, which root need not have.
    setup = [
        f"--chroot-setup-commands={line}"
        for line in (repository.setup if repository else "", mirror_cache.setup())
        if line
    ]
    return [
        "sbuild",
        f"--dist={codename}",
        f"--build={target.machine}",
        f"--host={target.architecture}",
        "--no-arch-all" if target.cross else "--arch-all",
        "--no-source",
        f"--chroot-mode={mode}",
        f"--chroot={chroot}",
        f"--build-dir={build_dir}",
        "--nolog",
        "--no-run-lintian",
        "--no-run-piuparts",
        "--no-run-autopkgtest",
        *(KEEP_FAILED if keep else ()),
        *([f"--profiles={','.join(profiles)}"] if profiles else []),
        *(READY if ready else [*(f"--add-depends={package}" for package in more), *setup]),
        dsc,
    ]


def more_packages(build: BuildSettings) -> tuple[str, ...]:
    """Return the packages that a build's settings need in the chroot."""
    return ("ccache",) if build.ccache else ()
