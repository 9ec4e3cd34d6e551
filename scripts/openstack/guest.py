"""A guest: the smallest machine that a cloud can start, from a series' own kernel, busybox and dropbear.

It runs from its ramdisk: it configures its address, shows its metadata's user data on the console, admits the key
from its metadata, sees attached disks and its config drive, and reacts to its power button.  See ``guest-init.sh``;
the programs that Tempest runs in a guest are included.

It is built from downloaded packages, and cached until they change.  The same packages give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import attempt, run
from lab.store.step import architecture
from scripts.archives.private_apt import own_apt

UNUSED_DAYS = 30
NEW = ".new."
PROGRAMS = ("busybox-static", "dropbear-bin")
KERNEL = re.compile(r"linux-image-\d")
SIMULATED = re.compile(r"^Inst (\S+) \((\S+) ", re.MULTILINE)
COMPLAINT = re.compile(r"^E: (.*)$", re.MULTILINE)
# Each module after its dependencies; a module built into the kernel has no file.
MODULES = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "failover",
           "net_failover", "virtio_net", "virtio_blk", "evdev", "button",
           "scsi_common", "scsi_mod", "libata", "ata_piix", "cdrom", "sr_mod", "isofs")  # fmt: skip
HERE = Path(__file__).parent
SCRIPTS = {name: HERE / f"guest-{name}.sh" for name in ("init", "lease", "blkid", "curl", "sudo")}
DIRECTORY, PROGRAM, FILE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755, stat.S_IFREG | 0o644
PRIVATE = stat.S_IFDIR | 0o700
NEEDED = re.compile(r"^\t(?P<name>\S+) => (?P<path>/\S+) ", re.MULTILINE)
Ask = Callable[[Sequence[str]], str]
PASSWD = b"root:*:0:0:root:/root:/bin/sh\n"


@dataclass(frozen=True)
class Guest:
    """The kernel and ramdisk of a guest, as files."""

    path: Path

    @property
    def key(self) -> str:
        """The name of its content."""
        return self.path.name

    @property
    def kernel(self) -> Path:
        return self.path / "kernel"

    @property
    def ramdisk(self) -> Path:
        return self.path / "ramdisk"


def made(name: str, sources: Sequence[str], log: IO[str]) -> Guest:
    """Return the guest made from a series' current packages, from the cache where possible.

    ``sources``: see `lab.config.apt.sources`.  Raises InfrastructureError when the mirror does not have the packages.
    """
    home = environment.cache_home() / "guests"
    with files.locked(home / "lock"):
        prune(home, name)
        ask = partial(asked, name, own_apt(home / f"{name}.apt", sources), log)
        packages = resolved(ask)
        guest = Guest(home / f"{name}-{key(packages)}")
        if not guest.path.exists():
            with tempfile.TemporaryDirectory(dir=home, prefix=NEW) as directory:
                at = Path(directory)
                (at / "packages").mkdir()
                ask(["download", *packages], at / "packages")
                for package in sorted((at / "packages").iterdir()):
                    run(["dpkg-deb", "--extract", package, at / "root"], log=log)
                kernel, ramdisk = make(at / "root", log)
                files.write_atomic(at / "guest/kernel", kernel)
                files.write_atomic(at / "guest/ramdisk", ramdisk)
                (at / "guest").rename(guest.path)
        guest.path.touch()
    return guest


def prune(home: Path, name: str) -> None:
    """Remove the guests of a series that were not used for a while, and incomplete ones."""
    oldest = environment.now().timestamp() - UNUSED_DAYS * 86_400
    old = [path for path in home.glob(f"{name}-*") if path.stat().st_mtime < oldest]
    for path in [*old, *home.glob(f"{NEW}*")]:
        shutil.rmtree(path)


def key(packages: Sequence[str]) -> str:
    """Return the cache key of the guest made from these packages (NAME=VERSION) by these scripts."""
    made_of = [*packages, *(path.read_text() for path in (*SCRIPTS.values(), Path(__file__)))]
    return hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:16]


def resolved(ask: Ask) -> list[str]:
    """Return a guest's packages as NAME=VERSION: the newest kernel, the programs, and their dependencies."""
    ask(["update", "--error-on=any"])
    kernel = ask(["install", "--simulate", f"linux-image-cloud-{architecture()}"])
    programs = ask(["install", "--simulate", *PROGRAMS])
    found = [each for each in SIMULATED.findall(kernel) if KERNEL.match(each[0])] + SIMULATED.findall(programs)
    return sorted(f"{name}={version}" for name, version in found)


def asked(name: str, options: Sequence[str], log: IO[str], argv: Sequence[str], at: Path | None = None) -> str:
    """Return the output of apt-get.  Raises InfrastructureError with its error message."""
    result, lines = attempt(["apt-get", *options, *argv], log, cwd=at)
    output = "\n".join(lines)
    if not result:
        why = next(iter(COMPLAINT.findall(output)), "it failed without a word")
        raise InfrastructureError(f"the guest of series {name} cannot be made: apt-get {argv[0]}: {why}")
    return output


def make(root: Path, log: IO[str]) -> tuple[bytes, bytes]:
    """Return kernel and ramdisk made from unpacked packages."""
    (kernel,) = root.glob("boot/vmlinuz-*")
    return kernel.read_bytes(), gzip.compress(archive(content(root, log)), mtime=0)


def content(root: Path, log: IO[str]) -> dict[str, tuple[int, bytes]]:
    """Return the ramdisk's content: mode and bytes by path."""
    dropbear = root / "usr/sbin/dropbear"
    found: dict[str, tuple[int, bytes]] = {
        "bin/busybox": (PROGRAM, next(root.glob("**/bin/busybox")).read_bytes()),
        "bin/dropbear": (PROGRAM, dropbear.read_bytes()),
        "etc/passwd": (FILE, PASSWD),
        "etc/dropbear": (DIRECTORY, b""),
        "root": (PRIVATE, b""),
        "root/.ssh": (PRIVATE, b""),
    }
    for name, path in SCRIPTS.items():
        found[name if name == "init" else f"bin/{name}"] = PROGRAM, path.read_bytes()
    for number, module in enumerate(MODULES):
        for path in root.glob(f"**/lib/modules/*/kernel/**/{module}.ko*"):
            raw = path.read_bytes()
            found[f"modules/{number:02}-{module}.ko"] = FILE, lzma.decompress(raw) if path.suffix == ".xz" else raw
    for name, path in libraries(root, dropbear, log).items():
        found[name] = PROGRAM, path.read_bytes()
    parents = {str(parent) for name in found for parent in Path(name).parents} - {".", *found}
    return dict.fromkeys(parents, (DIRECTORY, b"")) | found


def libraries(root: Path, program: Path, log: IO[str]) -> dict[str, Path]:
    """Return the shared libraries of a program and the dynamic linker, by the path where it searches: see ld.so(8)."""
    loader = next(path for path in sorted(root.glob("**/ld-linux*.so.*")) if path.is_file())
    where = ":".join(sorted({str(path.parent) for path in root.glob("**/*.so.*")}))
    listed = run([loader, "--library-path", where, "--list", program], log=log, capture=True).stdout
    # The loader itself is named by its path.
    return {match["name"].lstrip("/") if "/" in match["name"] else f"lib/{match['name']}": Path(match["path"])
            for match in NEEDED.finditer(listed)}  # fmt: skip


def archive(found: Mapping[str, tuple[int, bytes]]) -> bytes:
    """Files as the kernel wants them: see its documentation, initramfs buffer format (newc)."""
    trailer = ("TRAILER!!!", (0, b""))
    return b"".join(_member(number, *each) for number, each in enumerate([*sorted(found.items()), trailer], start=1))


def _member(number: int, name: str, of: tuple[int, bytes]) -> bytes:
    mode, data = of
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08X" % each for each in fields) + name.encode() + b"\0"
    return b"".join(part + bytes(-len(part) % 4) for part in (header, data))
