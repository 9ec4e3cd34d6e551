"""This machine's prerequisites: the needs of the lab, their state, and the one command that fixes each problem."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from lab.base import environment, failures, resources
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.run import ProgramFailed, run
from lab.config import apt, deployments
from lab.config.description import Lab, Series
from lab.results.apt_log import complaint
from lab.store.step import architecture
from scripts.archives import kept_packages as kept
from scripts.archives import mirror_cache
from scripts.chroots import backends
from scripts.host import mirrors
from scripts.machines import fence_agent

BINDEP = resources.path("bindep.txt")
SETUP = "./qalab setup"
ENOUGH_BYTES = 5 * 2**30  # a base chroot, a few layers and a build


@dataclass(frozen=True)
class Finding:
    """One prerequisite that is met or not; ``fix`` is the command that meets it."""

    what: str
    good: bool
    detail: str
    fix: str = ""


def needed_packages(targets: Sequence[str] = ()) -> list[str]:
    """Return the Debian packages of bindep.txt; ``targets``: those of the lab, which can need more."""
    lines = (line.partition("#")[0].split() for line in BINDEP.read_text().splitlines())
    chosen = ([], *([f"[{target}]"] for target in targets))
    return [words[0] for words in lines if words and words[1:] in chosen]


def missing_packages(targets: Sequence[str] = ()) -> list[str]:
    """Return those of them that are not installed."""
    needed = needed_packages(targets)
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *needed]
    lines = run(query, capture=True, check=False).stdout.splitlines()
    return [name for name in needed if f"{name} installed" not in lines]


def setup(say: Callable[[str], None], log: IO[str], targets: Sequence[str] = ()) -> None:
    """Install the missing packages, and create the build user where root must not build; ask no question.

    ``targets``: see `needed_packages`.

    Raises ConfigurationError where this user may not install them, InfrastructureError when apt fails.
    """
    root = () if environment.is_root() else ("sudo",)
    if missing := missing_packages(targets):
        if root and not may_use_sudo():
            raise ConfigurationError(
                "this machine lacks Debian packages, and this user may not install them with sudo",
                hint=f"ask the administrator to run: {install_command(missing)}",
            )
        say(
            f"installing Debian packages with {'sudo ' if root else ''}apt-get, for builds and tests: {' '.join(missing)}"
        )
        try:
            run([*root, "apt-get", "update", "-qq"], log=log, foreground=bool(root))
            unasked = ["env", "DEBIAN_FRONTEND=noninteractive"]
            # What a killed set-up has left half-installed; otherwise it does nothing.
            run([*root, *unasked, "dpkg", "--configure", "-a"], log=log, foreground=bool(root))
            install = [*unasked, "apt-get", "install", "-y", "-qq"]
            run([*root, *install, "--no-install-recommends", *missing], log=log, foreground=bool(root))
        except ProgramFailed as error:
            what = "read its indices" if "update" in error.result.argv else f"install {' '.join(missing)}"
            why = complaint(Path(log.name).read_text(errors="replace").splitlines())
            raise InfrastructureError(f"apt-get could not {what}: {why}", hint=f"see {log.name}") from error
    if environment.is_root() and not backends.has_build_user():
        say(f"making the user {backends.BUILD_USER}, who builds where root may not (subordinate user ids)")
        backends.make_build_user(log)


def install_command(missing: Sequence[str]) -> str:
    """Return the command by which root installs packages."""
    return f"apt-get install --no-install-recommends {' '.join(missing)}"


def may_use_sudo() -> bool:
    """Return whether this user may be root; sudo asks for a password where there is a terminal."""
    if not environment.find_program("sudo"):
        return False
    if run(["sudo", "-n", "true"], check=False):
        return True
    return environment.on_terminal() and bool(run(["sudo", "-v"], check=False, foreground=True))


def is_set_up() -> bool:
    return not missing_packages() and (not environment.is_root() or backends.has_build_user())


def doctor(lab: Lab | None) -> Iterator[Finding]:
    """Yield the state of each prerequisite of this machine; with a lab, also of its series."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, "apt-get install python3")
    yield packages(lab)
    yield builds()
    for name, path in (("state", environment.state_home()), ("cache", environment.cache_home())):
        yield disk(name, path)
    yield saved()
    for agent in sorted({machine.power.agent for machine in lab.machines.values()}) if lab else ():
        why = fence_agent.missing(agent)
        yield Finding("power", not why, why or agent, f"apt-get install {fence_agent.package(agent)}")
    for name, series in lab.series.items() if lab else ():
        yield architecture_of(name, series)
        yield found(f"mirror of {name}", partial(mirrors.reached, name, series))
        yield found(f"keyring of {name}", partial(apt.keyrings, name, series))


def saved() -> Finding:
    """Return what the proxy of apt keeps, and what that has saved."""
    what = "kept packages"
    if mirror_cache.is_needless():
        return Finding(what, good=True, detail="none: apt of this machine has a proxy of its own")
    found = kept.savings()
    if found is None:
        return Finding(what, good=True, detail="none yet")
    size, asked, here = (f"{size / 10**6:.0f} MB" for size in (found.kept, found.asked, found.from_here))
    return Finding(what, good=True, detail=f"{size}; of {asked} that apt has got since {found.since}, {here} were kept")


def packages(lab: Lab | None = None) -> Finding:
    """Return whether the Debian packages of bindep.txt are installed."""
    missing = missing_packages(deployments.targets(lab) if lab else ())
    detail = f"missing: {' '.join(missing)}" if missing else "all there"
    fix = (
        SETUP if environment.is_root() else f"{SETUP}; without sudo, ask the administrator: {install_command(missing)}"
    )
    return Finding("Debian packages", not missing, detail, fix)


def architecture_of(name: str, series: Series) -> Finding:
    """Return whether this machine builds what a series asks for."""
    machine, wanted = architecture(), " ".join(series.architectures)
    fix = f"name {machine} in series.{name}.architectures, or use a machine of {wanted}"
    return Finding(
        f"architecture of {name}", machine in series.architectures, f"{wanted}; this machine builds for {machine}", fix
    )


def found(what: str, look: Callable[[], object]) -> Finding:
    """Return what a function finds, or its error."""
    try:
        seen = look()
        return Finding(what, good=True, detail=" ".join(map(str, seen)) if isinstance(seen, tuple) else str(seen))
    except LabError as error:
        return Finding(what, good=False, detail=str(error.args[0]), fix=error.hint)
    except OSError as error:
        return Finding(what, good=False, detail=failures.failure(error).message, fix="see disk for cache")


def builds() -> Finding:
    """Return whether this user can build in clean chroots."""
    return found("clean builds", lambda: "{} mode: {}".format(*backends.mode()))


def disk(name: str, path: Path) -> Finding:
    """Return whether a directory can be written and has enough space."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    variable = f"XDG_{name.upper()}_HOME"
    if not os.access(existing, os.W_OK):
        return Finding(f"disk for {name}", good=False, detail=f"{path}: may not be written", fix=f"set {variable}")
    free = shutil.disk_usage(existing).free
    detail = f"{path}: {free / 2**30:.0f} GiB free"
    return Finding(f"disk for {name}", free >= ENOUGH_BYTES, detail, f"make room, or set {variable}")
