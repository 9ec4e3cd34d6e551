"""The restorer's script as a machine runs it, in a directory with busybox and a real block device, against the real server.

LVM, mount and kexec are doubles there: what the script asks of them is in ``calls``.
"""

from __future__ import annotations

import io
import os
import platform
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.base import environment, files
from lab.config.description import Lab
from lab.config.machines import Disk
from lab.store.runs import Store
from scripts.machines import volumes
from scripts.machines.lab_server import BootHTTPServer, BootServer
from scripts.machines.netboot import FILES, BootTask, MachineBoots, end_of, new_id
from tests.lab.config.test_machines import described

SCRIPT = Path(__file__).parents[2] / "scripts/machines/restorer.sh"
PROGRAMS = ("busybox", "chroot", "ldd", "losetup", "unshare")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not environment.is_root(), reason="only root makes devices"),
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"one of {', '.join(PROGRAMS)} is not here"),
]
DISK_BYTES = 32 * 2**20
FORMER = b"of somebody else\n" * 1024
PRISTINE = "pristine-bookworm-1"
CALLED = '#!/bin/sh\necho "${0##*/} $*" >> /calls\n'
DOUBLES = {
    "modprobe": CALLED,
    "ip": CALLED,
    "mount": CALLED,
    "umount": CALLED,
    "mke2fs": CALLED,
    "switch_root": CALLED,
    "dmesg": "#!/bin/sh\ncat /says/dmesg 2> /dev/null\n",
    # As that of Ubuntu 22.04, without classes of characters.
    "tr": '#!/bin/sh\ncase "$*" in *"[:"*) exit 0 ;; esac\nexec /bin/busybox tr "$@"\n',
    "nice": '#!/bin/sh\nshift 2\nexec "$@"\n',
    "tar": '#!/bin/sh\n[ "$1" != -b ] || shift 2\nexec /bin/busybox tar "$@"\n',  # without its option -b
    # Where the script gives up, it sleeps for ever.
    "sleep": '#!/bin/sh\n[ "$1" != 3600 ] || kill -9 "$PPID"\n',
    "kexec": f"{CALLED}if [ -e /says/kexec ]; then cat /says/kexec >&2; exit 1; fi\n",
    "lvm": f"""{CALLED}
if [ -e "/says/$1" ]; then cat "/says/$1" >&2; exit 5; fi
command=$1 options=$*
for last; do :; done
case "$command $options" in
vgs*) [ ! -e /volumes ] || echo "  qalab" ;;
pvs*) [ -e /group ] || exit 5; cat /group ;;
vgcreate*) mkdir /volumes ;;
lvs*lv_name*) [ -e /volumes ] || exit 5; ls /volumes ;;
lvs*lv_size*) echo "  {2**30}" ;;
lvs*data_percent*) if [ -e /active ]; then echo "  $(cat /used)"; fi ;;
lvchange*-ay*/pool) : > /active ;;
lvcreate*)
    while [ "$1" != -n ]; do shift; done
    mkdir -p /dev/qalab && : > "/volumes/$2" && : > "/dev/qalab/$2" ;;
lvremove*) rm "/volumes/${{last#*/}}" ;;
lvrename*) mv "/volumes/pristine.new" "/volumes/$last" ;;
esac
""",
}

# Applets that this shell of busybox runs itself, whatever is on PATH.
BUILT_IN = ("ip", "umount", "modprobe", "dmesg", "tr")


@dataclass
class Bare:
    """A machine: its root directory, its disk, and its server; ``way`` is what its next task wants."""

    root: Path
    disk: Path
    server: BootServer
    port: int
    image: Path

    @property
    def boots(self) -> MachineBoots:
        return MachineBoots(Store.of(self.server.lab), "node0")

    def give(self, **values: object) -> BootTask:
        tar = self.image / "root.tar"
        task = BootTask(
            id=new_id(), until=end_of(5), pristine=PRISTINE, series="bookworm", image=str(tar),
            sha256=files.sha256(tar), size=tar.stat().st_size, root_size=2**28, features="none", arguments="quiet",
        ).model_copy(update=values)  # fmt: skip
        self.boots.give(task, self.image, self.image / "node.tar")
        return task

    def say(self, program: str, text: str) -> None:
        """Have a double fail."""
        (self.root / "says" / program).write_text(f"{text}\n")

    def has(self, *volumes: str) -> None:
        self.mounted(platform.release())
        for name in volumes:
            for place in ("volumes", "dev/qalab"):
                (self.root / place).mkdir(exist_ok=True)
                (self.root / place / name).touch()

    def mounted(self, kernel: str) -> None:
        (self.root / "mnt/boot").mkdir(exist_ok=True)
        (self.root / f"mnt/boot/vmlinuz-{kernel}").touch()

    def use(self) -> None:
        """Write the data of another use to its disk."""
        with self.disk.open("r+b") as stream:
            stream.write(FORMER)

    def boot(self, *, mac: str = "52:54:00:77:00:00", port: int = 0, token: str = "") -> None:
        """Boot it; the script has ended then."""
        token = token or self.boots.begin().token
        words = f"qalab.server=http://127.0.0.1:{port or self.port} qalab.token={token} qalab.mac={mac}"
        (self.root / "proc/cmdline").write_text(f"quiet {words} qalab.address=10.77.0.10/24\n")
        chroot = [str(shutil.which("unshare")), "--mount", "chroot", self.root, "/init"]
        subprocess.run(
            chroot, check=False, timeout=120, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=subprocess.DEVNULL
        )

    @property
    def console(self) -> str:
        return (self.root / "dev/console").read_text(errors="replace").replace("\0", "")

    @property
    def stages(self) -> list[str]:
        boot = self.boots.boot()
        return [stage.name for stage in boot.stages] if boot else []

    @property
    def failed(self) -> str:
        boot = self.boots.boot()
        return boot.failed if boot else ""

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def untouched(self) -> bool:
        """Whether nothing was written to its disk, nor asked to be."""
        os.sync()
        written = [call for call in self.calls if call.split()[:2] in (["lvm", "pvcreate"], ["lvm", "lvcreate"])]
        return self.disk.read_bytes()[: len(FORMER)] == FORMER and not written


def tar(path: Path, texts: Mapping[str, str]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, text in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


def directory(root: Path) -> None:
    """Make a root directory of the restorer with doubles."""
    for name in ("bin", "usr/sbin", "lib/modules", "proc", "sys/block/vda", "sys/class/net/eth0", "sys/devices", "dev",
                 "tmp", "mnt", "says"):  # fmt: skip
        (root / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox
    shutil.copy(busybox, root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    said = subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout
    for library in (word for word in said.split() if word.startswith("/")):
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    for name, text in DOUBLES.items():
        (root / "usr/sbin" / name).write_text(text)
        (root / "usr/sbin" / name).chmod(0o755)
    doubles = "".join(f'{name}() {{ /usr/sbin/{name} "$@"; }}\n' for name in BUILT_IN)
    begin, _, rest = SCRIPT.read_text().partition("set -u\n")
    (root / "init").write_text(
        f"{begin}set -u\n{doubles}{rest.replace('exec switch_root', 'exec /usr/sbin/switch_root').replace('/proc/sysrq-trigger', '/restarted')}"
    )
    (root / "init").chmod(0o755)
    for number, name in ((3, "null"), (5, "zero")):
        os.mknod(root / "dev" / name, 0o20666, os.makedev(1, number))
    for name, text in {
        "proc/uptime": "1.50 1.00\n", "dev/console": "", "used": "0.00\n", "sys/block/vda/serial": "DISK0",
        "sys/block/vda/size": f"{DISK_BYTES // 512}\n", "sys/class/net/eth0/address": "52:54:00:77:00:00\n",
    }.items():  # fmt: skip
        (root / name).write_text(text)


@pytest.fixture
def bare(lab_factory: Callable[..., Lab], tmp_path: Path) -> Iterator[Bare]:
    lab = lab_factory(lab=described())
    disk = Disk(path="/dev/vda", serial="DISK0", size=DISK_BYTES)
    node0 = lab.machines["node0"].model_copy(update={"address": IPv4Address("127.0.0.1"), "disk": disk})
    lab = lab.model_copy(update={"machines": {**lab.machines, "node0": node0}})
    assert lab.lab_server
    image = tmp_path / "image"
    image.mkdir()
    for name in FILES:
        (image / name).write_text(name)
    tar(image / "root.tar", {f"boot/vmlinuz-{platform.release()}": "kernel", "etc/hostname": "image\n"})
    tar(image / "node.tar", {"etc/hostname": "node0\n"})
    directory(tmp_path / "bare")
    with (tmp_path / "disk").open("wb") as stream:
        stream.truncate(DISK_BYTES)
    found = subprocess.run(
        ["losetup", "--find", "--show", tmp_path / "disk"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.skip(f"no loop device: {found.stderr}")
    loop = found.stdout.strip()
    try:
        os.mknod(tmp_path / "bare/dev/vda", 0o60600, Path(loop).stat().st_rdev)
        with BootHTTPServer(BootServer(lab, lab.lab_server), "127.0.0.1", 0) as listening:
            threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
            yield Bare(
                tmp_path / "bare", tmp_path / "disk", BootServer(lab, lab.lab_server), listening.server_port, image
            )
            listening.shutdown()
    finally:
        subprocess.run(["losetup", "--detach", loop], check=True)


def test_installation(bare: Bare) -> None:
    bare.give()
    bare.boot()
    assert bare.stages == ["task", "volumes", "unpacked", "installed", "restored", "switch_root"], bare.console
    assert bare.failed == ""
    assert sorted(path.name for path in (bare.root / "volumes").iterdir()) == ["pool", PRISTINE, "root"]
    assert (bare.root / "mnt/etc/hostname").read_text() == "node0\n"
    assert bare.boots.task() is None
    (made,) = [call for call in bare.calls if call.startswith("lvm lvcreate") and "thin-pool" in call]
    assert " -Zy " in made, "no block of a former root is readable"


def test_used_disk_is_not_overwritten_unasked(bare: Bare) -> None:
    bare.use()
    bare.give()
    bare.boot()
    assert bare.failed == (
        "the disk /dev/vda has no volume group qalab and is not empty; nothing was written: "
        "qalab machine install overwrites it"
    )
    assert bare.untouched


def test_disk_that_cannot_be_read_is_not_empty(bare: Bare) -> None:
    os.truncate(bare.disk, 0)  # the device has its size still
    bare.give()
    bare.boot()
    assert bare.failed == "the disk /dev/vda cannot be read; nothing was written", bare.console
    assert not any(call.startswith("lvm pvcreate") for call in bare.calls)


def test_used_disk_is_overwritten_by_an_installation(bare: Bare) -> None:
    bare.use()
    bare.give(install=True)
    bare.boot()
    assert bare.stages[-1] == "switch_root", bare.console
    os.sync()
    assert bare.disk.read_bytes()[: len(FORMER)] == bytes(len(FORMER)), "no signature of its former use is left"


@pytest.mark.parametrize(
    ("said", "failed"),
    [
        ("  \n", ""),
        ("  ubuntu-vg\n", "the disk /dev/vda has no volume group qalab"),
        ("  WARNING: bad metadata header on /dev/vda at 4096.\n  \n", "the disk /dev/vda has no volume group qalab"),
    ],
)
def test_physical_volume(bare: Bare, said: str, failed: str) -> None:
    """One without a group is of an installation that ended in the middle."""
    bare.use()
    (bare.root / "group").write_text(said)
    bare.give()
    bare.boot()
    assert bare.failed.startswith(failed), bare.console
    assert bare.untouched == bool(failed)


@pytest.mark.parametrize("listing", ["vgs", "lvs"])
@pytest.mark.parametrize("install", [False, True])
def test_lists_that_cannot_be_read(bare: Bare, listing: str, install: bool) -> None:  # noqa: FBT001 - a parameter
    bare.use()
    if listing == "lvs":
        bare.has("pool", PRISTINE, "root")
    bare.say(listing, "Checksum error")
    bare.give(install=install)
    bare.boot()
    assert bare.failed.startswith(f"lvm {listing}"), bare.console
    assert bare.failed.endswith("Checksum error")
    assert bare.untouched
    assert not any("lvremove" in call for call in bare.calls)


def test_restoration(bare: Bare) -> None:
    bare.has("pool", PRISTINE, "root")
    bare.give()
    bare.boot()
    assert bare.stages == ["task", "restored", "switch_root"], bare.console
    removed = [call for call in bare.calls if "lvremove" in call]
    assert removed == ["lvm lvremove -q -f qalab/root"]
    assert len([call for call in bare.calls if call.startswith("lvm ")]) == 4, "each call takes a noticeable time"
    assert not any("mke2fs" in call or "pvcreate" in call for call in bare.calls)


def test_restoration_beside_many_volumes(bare: Bare) -> None:
    """The list goes on after the name: seen on machines under load with three volumes."""
    bare.has("pool", PRISTINE, *(f"someone-{number:04}-{'x' * 50}" for number in range(4000)))
    bare.give()
    bare.boot()
    assert bare.stages == ["task", "restored", "switch_root"], bare.console


def test_restoration_from_the_snapshot_of_an_installer(bare: Bare) -> None:
    bare.has("pool", volumes.by_installer("bookworm"), "root", "installer")
    bare.give()
    bare.boot()
    assert bare.stages == ["task", "by_installer", "restored", "switch_root"], bare.console
    assert f"-n root qalab/{volumes.by_installer('bookworm')}" in "\n".join(bare.calls)
    assert '"a|^/dev/vda([0-9]+)?$|"' in (bare.root / "etc/lvm/lvm.conf").read_text(), "on a partition"


def test_snapshot_of_an_installer_is_replaced(bare: Bare) -> None:
    bare.has("pool", volumes.by_installer("bookworm"), "root", "installer")
    bare.give(install=True)
    bare.boot()
    assert bare.stages == ["task", "volumes", "unpacked", "installed", "restored", "switch_root"], bare.console
    assert sorted(path.name for path in (bare.root / "volumes").iterdir()) == ["installer", "pool", PRISTINE, "root"]


def test_snapshot_of_an_installer_for_another_series(bare: Bare) -> None:
    bare.has("pool", volumes.by_installer("trixie"), "root")
    bare.give()
    bare.boot()
    assert "installed" in bare.stages, bare.console


def test_old_and_half_made_volumes_are_removed(bare: Bare) -> None:
    others = ["pristine-bookworm-backports-0", "pristine-bookworm-backports-installer", "pristine-trixie-0"]
    bare.has("pool", "pristine.new", "pristine-bookworm-0", *others, "root")
    bare.give()
    bare.boot()
    assert bare.stages[-1] == "switch_root", bare.console
    kept = sorted(path.name for path in (bare.root / "volumes").iterdir())
    assert kept == sorted(["pool", PRISTINE, *others, "root"])


def test_other_kernel_is_started_by_kexec(bare: Bare) -> None:
    (bare.image / "root.tar").unlink()
    tar(bare.image / "root.tar", {"boot/vmlinuz-0.1-other": "kernel"})
    bare.give()
    bare.boot()
    assert bare.stages[-1] == "kexec", bare.console
    assert bare.calls[-3:] == ["umount /mnt", "lvm vgchange -q -an qalab", "kexec -e"]
    assert bare.failed == "kexec did not start the kernel 0.1-other"


@pytest.mark.parametrize("way", ["kexec", "reboot"])
def test_same_kernel_is_started_the_way_of_the_task(bare: Bare, way: str) -> None:
    initrd = f"boot/initrd.img-{platform.release()}"
    tar(bare.image / "root.tar", {f"boot/vmlinuz-{platform.release()}": "kernel", initrd: "initrd"})
    bare.give(way=way)
    bare.boot()
    assert bare.stages[-1] == way, bare.console
    assert not any("switch_root" in call for call in bare.calls)


def other_kernel(bare: Bare) -> None:
    (bare.image / "root.tar").unlink()
    tar(bare.image / "root.tar", {"boot/vmlinuz-0.1-other": "its kernel", "boot/initrd.img-0.1-other": "its initrd"})


@pytest.mark.parametrize(
    ("fault", "why"), [("kexec", "kexec -l: Function not implemented"), ("", "kexec did not start")]
)
def test_machine_whose_kexec_failed_reboots(bare: Bare, fault: str, why: str) -> None:
    other_kernel(bare)
    bare.give()
    if fault:
        bare.say(fault, "Function not implemented")
    bare.boot()
    assert bare.failed.startswith(why)
    assert not (bare.root / "restarted").exists(), "who restores it switches its power"
    bare.give()
    bare.boot()
    assert bare.stages == ["task", "restored", "reboot"], bare.console
    assert [(bare.boots.home / name).read_text() for name in ("kernel", "initrd")] == ["its kernel", "its initrd"]
    assert bare.calls[-2:] == ["umount /mnt", "lvm vgchange -q -an qalab"]
    assert (bare.root / "restarted").read_text() == "b\n"
    assert "/kernel/" in bare.server.script("127.0.0.1")


def test_kexec_that_fails_at_a_reboot_of_its_own(bare: Bare) -> None:
    bare.has("pool", PRISTINE, "root")
    bare.give()
    bare.boots.withdraw()
    (bare.root / f"mnt/boot/vmlinuz-{platform.release()}").unlink()
    bare.mounted("0.1-other")
    (bare.root / "mnt/boot/initrd.img-0.1-other").touch()
    bare.say("kexec", "Function not implemented")
    bare.boot()
    assert (bare.root / "restarted").exists(), "nobody else would"
    assert bare.boots.kexec_failure()


def test_machine_that_reboots_by_itself(bare: Bare) -> None:
    bare.has("pool", PRISTINE, "root")
    bare.give()
    bare.boot()
    (bare.root / "calls").unlink()
    bare.boot()
    assert bare.stages == ["task", "switch_root"], bare.console
    assert not any("lvremove" in call or "lvcreate" in call for call in bare.calls)


def test_machine_that_dies_in_the_middle(bare: Bare) -> None:
    bare.give()
    bare.say("lvrename", "Aborted")
    bare.boot()
    assert bare.stages[-1] == "unpacked"
    assert bare.failed == "lvm lvrename: Aborted"
    (bare.root / "says/lvrename").unlink()
    bare.boot()
    assert bare.stages[-1] == "switch_root", bare.console


@pytest.mark.parametrize(
    ("where", "text", "why"),
    [
        ("sys/block/vda/size", "8\n", f"wrong disk: /dev/vda has 4096 bytes, not {DISK_BYTES}; nothing was written"),
        ("sys/block/vda/serial", "DISK7", "wrong disk: the serial number of /dev/vda is DISK7, not DISK0; nothing was written"),
        ("sys/block/vda/serial", "DISK01", "wrong disk: the serial number of /dev/vda is DISK01, not DISK0; nothing was written"),
        ("sys/block/vda/serial", "ADISK0", "wrong disk: the serial number of /dev/vda is ADISK0, not DISK0; nothing was written"),
        ("sys/block/vda/size", "", "/dev/vda is no whole disk; nothing was written"),
        ("dev/vda", "", "the disk /dev/vda is not there; there are: vda"),
    ],
    ids=["size", "serial", "longer", "longer before", "partition", "absent"],
)  # fmt: skip
def test_wrong_disk(bare: Bare, where: str, text: str, why: str) -> None:
    (bare.root / where).unlink()
    if text:
        (bare.root / where).write_text(text)
    bare.use()
    bare.give(install=True)
    bare.boot()
    assert (bare.failed, bare.stages) == (why, ["task"])
    assert bare.untouched
    assert bare.boots.task(), "it is still to be done"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("serial", "  DISK0  \n"),
        ("serial", "DI SK0\n"),
        ("wwid", "t10.ATA     QEMU HARDDISK                           DISK0   \n"),
        ("device/wwid", "naa.DISK0\n"),
        ("device/vpd_pg80", "\0\x00\0\x14      DISK0\0"),
    ],
    ids=["padded", "with a blank", "the end of a wwid", "naa", "page of SCSI"],
)
def test_serial_number_is_found(bare: Bare, where: str, text: str) -> None:
    block = bare.root / "sys/block/vda"
    (block / "serial").unlink()
    (block / where).parent.mkdir(exist_ok=True)
    (block / where).write_text(text)
    bare.give(install=True)
    bare.boot()
    assert "wrong disk" not in bare.failed
    assert "volumes" in bare.stages


def test_wrong_digest(bare: Bare) -> None:
    bare.give(sha256="0" * 64)
    bare.boot()
    assert "wrong digest" in bare.failed, bare.console
    assert not (bare.root / "volumes" / PRISTINE).exists()


def test_cut_image(bare: Bare) -> None:
    whole = (bare.image / "root.tar").read_bytes()
    (bare.image / "root.tar").write_bytes(whole[:700])
    bare.give()
    bare.boot()
    assert bare.failed.startswith("the image: "), bare.console
    assert not (bare.root / "volumes" / PRISTINE).exists(), "half of it is not pristine"


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        (
            "EXT4-fs warning (device dm-4): ext4_end_bio:343: I/O error 10 writing to inode 12 starting block 8193)",
            False,
        ),
        ("Buffer I/O error on dev dm-4, logical block 7, lost async page write", False),
        ("Buffer I/O error on device dm-12, logical block 7", False),
        ("Aborting journal on device dm-4-8.", False),
        ("Buffer I/O error on dev fd0, logical block 0, async page read", True),
        ("EXT4-fs (dm-4): mounted filesystem with ordered data mode. Quota mode: none.", True),
    ],
)
def test_disk_that_did_not_take_all_of_it(bare: Bare, line: str, *, whole: bool) -> None:
    """As seen from a kernel whose file system was full below: umount and sync of busybox end well."""
    bare.say("dmesg", f"[12.700000] {line}")
    bare.give()
    bare.boot()
    assert (bare.root / "volumes" / PRISTINE).exists() == whole, bare.console
    assert bare.failed == ("" if whole else f"not all was written: [12.700000] {line}")


def test_full_volume_group(bare: Bare) -> None:
    bare.has("pool")
    (bare.root / "used").write_text("99.40\n")
    bare.give()
    bare.boot()
    assert (
        bare.failed
        == f"the volume group qalab is full: 99.40 % of {2**30} bytes are used, and the system has 10240 bytes"
    )
    assert not any("-V" in call for call in bare.calls)


def test_token_used_twice(bare: Bare) -> None:
    bare.give()
    token = bare.boots.begin().token
    bare.boot(token=token)
    assert bare.stages[-1] == "switch_root"
    (bare.root / "calls").unlink()
    bare.give()
    bare.boots.begin()
    bare.boot(token=token)
    assert "node0: not the token of its last boot" in bare.console
    assert bare.untouched or not any("lvcreate" in call or "lvremove" in call for call in bare.calls)


def test_no_lab_server(bare: Bare) -> None:
    bare.use()
    bare.give()
    bare.boot(port=9)
    assert "failed: the lab server http://127.0.0.1:9 does not answer" in bare.console
    assert bare.untouched


def test_wrong_mac(bare: Bare) -> None:
    bare.use()
    bare.give()
    bare.boot(mac="52:54:00:77:00:07", port=9)
    assert "no network card has the address 52:54:00:77:00:07" in bare.console
    assert not any(call.startswith("ip ") for call in bare.calls)
    assert bare.untouched


@pytest.mark.parametrize("fault", ["lvcreate", "vgcreate", "pvcreate"])
def test_failing_program_is_one_line(bare: Bare, fault: str) -> None:
    bare.give()
    bare.say(fault, "WARNING: one\n  Cannot do that.\n  Run lvm --help")
    bare.boot()
    assert bare.failed == f"lvm {fault}: Cannot do that."


def test_nothing_to_boot(bare: Bare) -> None:
    bare.use()
    bare.give()
    bare.boots.withdraw()
    bare.boot()
    assert bare.failed == "no root on the disk, and no task"
    assert bare.untouched
