"""The command line and the configuration of sbuild."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.base.run import Word
from lab.config.components import BuildSettings
from scripts.chroots.backends import Mode
from scripts.chroots.bootstrap import Repository

KEEP_FAILED: Final = tuple(f"--purge-{what}=successful" for what in ("build", "deps", "session"))


def configuration(build: BuildSettings, mode: Mode, scratch: Path) -> str:
    """Return a ~/.sbuildrc: the settings that sbuild takes from no option."""
    options = f"'DEB_BUILD_OPTIONS' => q({' '.join(build.options)})" if build.options else ""
    # In schroot mode the default is the caller, root.  In unshare mode it is to be the caller.
    builder = "$build_user = 'sbuild';\n" if mode == "schroot" else ""
    return (
        f"{builder}"
        f"$build_environment = {{ {options} }};\n"
        "$bd_uninstallable_explainer = 'none';\n"  # apt says it; the default installs a solver to say it again
        f"$stalled_pkg_timeout = {build.timeout_minutes};\n"
        f"$unshare_tmpdir_template = '{scratch}/XXXXXXXXXX';\n"
        "1;\n"
    )


def build_argv(  # noqa: PLR0913 - what a build is, by name
    dsc: Path,
    *,
    mode: Mode,
    chroot: str,
    codename: str,
    architecture: str,
    build_dir: Path,
    profiles: Sequence[str] = (),
    repository: Repository | None = None,
    keep: bool = False,
) -> list[Word]:
    """Return the command line of sbuild; ``keep``: what a failed build leaves stays in its session."""
    return [
        "sbuild",
        f"--dist={codename}",
        f"--arch={architecture}",
        "--arch-all",
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
        # --extra-repository-key would have sbuild run gpg with sudo, which root need not have.
        *([f"--chroot-setup-commands={repository.setup}"] if repository else []),
        dsc,
    ]
