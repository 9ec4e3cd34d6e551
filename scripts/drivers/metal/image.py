"""The system of a bare machine: the base that containers have with a kernel, as a tar file, and the restorer for it.

It is made and kept as the disk of a virtual machine is (see `scripts.drivers.qemu.image`).

::

    IMAGE/root.tar         the system, not compressed: a machine unpacks it while it is sent
    IMAGE/vmlinuz          its kernel
    IMAGE/restorer.cpio    see `scripts.machines.restorer`
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed
from lab.results.apt_log import complaint
from lab.store.step import architecture
from scripts.chroots.backends import MOUNT_OVERLAY
from scripts.chroots.bootstrap import APT_GET
from scripts.chroots.chroots import Chroots
from scripts.chroots.sessions import Session, opened
from scripts.drivers.interfaces import Pristine
from scripts.drivers.layers import closure, target_argv
from scripts.drivers.systems import content
from scripts.machines import restorer, volumes

ARCHITECTURE: Final = "amd64"
ROOT: Final = "root.tar"
FILES: Final = (ROOT, restorer.KERNEL, restorer.ARCHIVE)
# The initramfs of the system finds its root without the restorer, after kexec; lvm2's hook needs the tools.
LVM: Final = (
    f"{APT_GET} install lvm2 thin-provisioning-tools zstd\nrm -rf /etc/lvm/archive/* /etc/lvm/backup/*\n"
    "systemctl --quiet mask lvm2-monitor.service\n"  # nothing is to be done when the pool is full
)
# apt makes its caches anew as soon as a machine has the lab's archive.
TAR: Final = f"""\
{MOUNT_OVERLAY}
tar --create --file="$3/{ROOT}" --sort=name --numeric-owner --format=gnu --exclude='./var/cache/apt/*.bin' .
"""


@dataclass(frozen=True)
class MetalImage:
    """A kept image, locked while this object is in use; ``key``: its digest, a part of the snapshot's name."""

    path: Path
    series: str
    key: str
    facts: dict[str, Any]

    @property
    def pristine(self) -> str:
        """The name of the volume with it on a machine."""
        return volumes.pristine(self.series, self.key)


@contextmanager
def prepared(chroots: Chroots, pristine: Pristine, kernel: str | None) -> Iterator[MetalImage]:
    """Provide the system of a series with the dependencies of some packages.

    Raises InfrastructureError when it cannot be made.
    """
    if architecture() != ARCHITECTURE:
        raise ConfigurationError(f"a target of metal needs {ARCHITECTURE}, and this machine is {architecture()}")
    with chroots.base(pristine.series_name, pristine.series, target_argv) as base:
        wanted = closure(chroots, base, pristine) if pristine.packages else []
        script = content_script(wanted, pristine.answers, kernel)
        restoring = restorer.build_script()

        def make(into: Path) -> None:
            with opened(chroots.way, "metal", [base.path], log=chroots.log, keep=[base.lock]) as session:
                _make(session, pristine.series_name, script, restoring, into)

        with chroots.image(base, f"{TAR}{script}{restoring}", make) as image:
            facts = {
                "base": {"key": base.key, "reused": base.reused, "age_days": base.age_days},
                "image": {"key": image.key, "reused": image.reused, "packages": len(wanted)},
            }
            # The stamp: the image made again is another one.
            key = f"{image.key}{image.created:%Y%m%d%H%M%S}"
            yield MetalImage(image.path, pristine.series_name, key, facts)


def content_script(wanted: list[str], answers: tuple[str, ...], kernel: str | None) -> str:
    """Return the shell script that makes a base the system of a bare machine; ``kernel``: its package."""
    chosen = {"kernel": f"kernel={shlex.quote(kernel)}\n"} if kernel else {}
    return content.script(wanted, answers, root=volumes.ROOT_DEVICE, before_kernel=LVM, **chosen)


def _make(session: Session, series: str, script: str, restoring: str, into: Path) -> None:
    mark = session.log.tell() if session.log else 0
    try:
        session.shell(script)
        session.run(["sh", "-euc", TAR, "sh", "", session.lower, session.path])
        (kernel,) = sorted((session.upper / "boot").glob("vmlinuz-*"))[-1:]
        session.shell(restoring)
    except ProgramFailed:
        why = complaint(session.said(mark).splitlines())
        raise InfrastructureError(f"series {series}: no image of a machine could be made: {why}") from None
    new = session.path / "image"
    new.mkdir()
    (session.path / ROOT).rename(new / ROOT)
    shutil.copyfile(kernel, new / restorer.KERNEL)
    (session.upper / restorer.ARCHIVE).rename(new / restorer.ARCHIVE)
    digests = "".join(f"{files.sha256(new / name)}  {name}\n" for name in FILES)
    (new / "SHA256SUMS").write_text(digests)
    new.rename(into)


def digests(image: Path) -> dict[str, str]:
    """Return the digests of an image's files, by name."""
    lines = (image / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def kept(home: Path) -> list[Path]:
    """Return the images of machines that are kept in a directory."""
    return [path.parent for path in sorted(home.glob("image-*/SHA256SUMS")) if ROOT in digests(path.parent)]
