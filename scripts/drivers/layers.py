"""Pristine layers: a base system for each series, and above it the dependencies of some packages.

Bases and layers are kept, locked and pruned like those for builds (see `scripts.chroots.chroots`), in a separate
directory.  A layer's key consists of its exact packages and the way to install them.  A layer is therefore made again
when the mirror has newer packages or the tested packages need others; otherwise it costs one call of apt.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from debian.deb822 import Packages

from lab.base import environment
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, Word, missing_program
from scripts.chroots.backends import find_backend
from scripts.chroots.bootstrap import APT_GET, RECOMMENDED, mmdebstrap_argv, preseed, update
from scripts.chroots.chroots import Chroot, Chroots
from scripts.drivers.interfaces import Pristine
from scripts.services.units import KEEP_LINKS, NOTE_PRISTINE

# What a machine has that is installed with the defaults of an installer, less what needs hardware.
VARIANT = "important"
PACKAGES = ("dbus", "iputils-ping", "netbase", "systemd-sysv")
# Units that would wake up in the middle of a test, or that a boot waits for: e2scrub_reap runs only while a processor is
# idle, which on a busy machine takes as long as it takes.
HOUSEKEEPING = (
    "apt-daily-upgrade.timer", "apt-daily.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "logrotate.timer", "man-db.timer", "systemd-tmpfiles-clean.timer",
)  # fmt: skip
# Units that wait for hardware, or change it: in a container, it is the host's.
HARDWARE = (
    "iscsid.service", "iscsid.socket", "lvm2-lvmpolld.socket", "lvm2-monitor.service", "multipathd.service",
    "multipathd.socket", "networking.service", "open-iscsi.service", "systemd-udev-settle.service",
    "systemd-udev-trigger.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "systemd-udevd.service",
)  # fmt: skip
SIMULATED = re.compile(r"^Inst (?P<name>\S+) (?:\[\S+\] )?\((?P<version>\S+) ")
UPDATED = "=== updated"
SEPARATOR = "=== sources"


@dataclass(frozen=True)
class Layers:
    """The lower directories of a node's overlay, topmost first, locked while this object is in use."""

    stack: tuple[Path, ...]
    locks: tuple[int, ...]
    facts: dict[str, Any]


def target_argv(
    codename: str,
    sources: Sequence[str],
    *,
    target: Word,
    architecture: str,
    apt_conf: Path | None = None,
) -> list[Word]:
    """Return the options of mmdebstrap for a base that boots."""
    masks = [f'ln -s /dev/null "$1"/etc/systemd/system/{unit}' for unit in (*HOUSEKEEPING, *HARDWARE)]
    return mmdebstrap_argv(
        VARIANT, codename, sources, PACKAGES, masks,
        target=target, architecture=architecture, apt_conf=apt_conf,
    )  # fmt: skip


def missing_prerequisite(target: str, programs: Iterable[str]) -> str:
    """Return why this machine does not support a target that needs root, programs and overlays; "" when it does."""
    if not environment.is_root():
        return f"a target of {target} needs root"
    if missing := next((program for program in programs if not environment.find_program(program)), ""):
        return str(missing_program(missing))
    way = find_backend()
    return "" if way.mode == "schroot" else f"a target of {target} needs overlays, and here {way.reason}"


def local_layers(home: Path, log: IO[str] | None) -> Chroots:
    """Return the layers of this machine, where it supports them."""
    chroots = Chroots.here(log)
    return replace(chroots, way=replace(chroots.way, home=home))


@contextmanager
def prepared(chroots: Chroots, pristine: Pristine) -> Iterator[Layers]:
    """Yield the layers for the packages to install.

    Where their dependencies are not available, yield the base alone: apt then reports the reason on the node.
    """
    with ExitStack() as held:
        base = held.enter_context(chroots.base(pristine.series_name, pristine.series, target_argv))
        wanted = closure(chroots, base, pristine) if pristine.packages else []
        layers = [base]
        if wanted:
            script = install_script(
                wanted, pristine.answers
            )  # also part of the key: a layer of another release can be incomplete
            layers.insert(0, held.enter_context(chroots.layered(base, f"{base.path.name}\n{script}", script)))
        yield Layers(
            tuple(layer.path for layer in layers),
            tuple(layer.lock for layer in layers),
            {
                "base": {"key": base.key, "reused": base.reused, "age_days": base.age_days},
                "layer": {"key": layers[0].key, "reused": layers[0].reused, "packages": len(wanted)}
                if wanted
                else None,
            },
        )


def closure(chroots: Chroots, base: Chroot, pristine: Pristine) -> list[str]:
    """Return the distribution's packages that an installation adds to a base: NAME=VERSION, sorted.

    None where apt finds no way to install them.  Raises InfrastructureError when the mirror does not answer.
    """
    with chroots.session("closure", base) as session:
        mark = session.mark(())
        try:
            printed = session.shell(closure_script(pristine), capture=True).stdout
        except ProgramFailed as error:
            if UPDATED in error.result.stdout:
                return []
            errors = (line.removeprefix("E: ") for line in session.said(mark).splitlines() if line.startswith("E: "))
            why = next(errors, error.result.complaint or "it ended without a word")
            raise InfrastructureError(f"series {pristine.series_name}: apt-get update: {why}") from None
    simulated, _, described = printed.partition(SEPARATOR)
    found = (match for line in simulated.splitlines() if (match := SIMULATED.match(line)))
    versions = {match["name"]: match["version"] for match in found}
    sources = {item["Package"]: item.source for item in Packages.iter_paragraphs(described.lstrip(), use_apt_pkg=False)}
    return sorted(
        f"{name}={version}" for name, version in versions.items() if sources.get(name) not in pristine.sources
    )


def closure_script(pristine: Pristine) -> str:
    """Return the shell script that prints the packages that apt would install, and their control paragraphs."""
    names = shlex.join(pristine.packages)
    more = f" {RECOMMENDED}" if pristine.recommends else ""
    return (
        f"{{\n{update(pristine.repository)}}} >&2\n"
        f"echo '{UPDATED}'\n"
        f"{APT_GET}{more} --simulate install {names} > /tmp/simulated\n"
        "cat /tmp/simulated\n"
        f"echo '{SEPARATOR}'\n"
        "sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p' /tmp/simulated | xargs --no-run-if-empty apt-cache --no-all-versions show"
        " | grep -E '^(Package|Source|Version|Architecture):|^$'\n"
    )


def install_script(wanted: Sequence[str], answers: Sequence[str] = ()) -> str:
    """Return the shell script that installs exactly these packages, and leaves nothing else except two notes.

    None of their units starts when a node boots: roles start them after configuration.  The script saves the links that
    enable units and init scripts, and the list of earlier packages: see `scripts.services.units`.
    """
    return (
        "touch /tmp/before\n"
        f"{NOTE_PRISTINE}"
        f"{preseed(answers)}"
        f"apt-get --quiet update\n{APT_GET} install {shlex.join(wanted)}\n"
        f"{KEEP_LINKS}"
        "rm -rf /etc/resolv.conf /tmp/*\n"
    )
