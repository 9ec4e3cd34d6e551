"""The files for the installers of Debian and Ubuntu: what their own tools say of them, and that they fit the restorer."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from cli.main import cli
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.config.machines import Disk
from scripts.drivers.metal import installer
from scripts.drivers.metal.image import MetalImage
from scripts.machines import volumes
from tests.lab.config.test_machines import described, machine

RESTORER = Path(__file__).parents[4] / "scripts/machines/restorer.sh"
BASE64 = re.compile(r"echo ([A-Za-z0-9+/=]{100,}) ")
SERIES = {
    "bookworm": {"mirror": "http://mirror.example/debian", "pockets": ["updates"]},
    "noble": {"distribution": "ubuntu", "mirror": "https://mirror.example/ubuntu/", "components": ["main", "universe"]},
}
FIRMWARES = pytest.mark.parametrize("boot", ["bios", "uefi"])


@pytest.fixture
def make(lab_factory: Callable[..., Lab]) -> Callable[..., Lab]:
    def make(series: dict[str, Any] | None = None, **values: Any) -> Lab:
        machines = {"node0": machine(0, **values), "node1": {"power": {"agent": "fence_cdu"}}}
        return lab_factory(lab=described(machines=machines, series=SERIES | (series or {})))

    return make


def script_of(text: str) -> str:
    (found,) = BASE64.findall(text)
    return base64.b64decode(found).decode()


def values(preseed: str) -> dict[str, str]:
    """Return the value of each question."""
    lines = preseed.replace("\\\n", " ").splitlines()
    fields = [line.split(None, 3) for line in lines if line and not line.startswith("#")]
    return {found[1]: " ".join(found[3:]) for found in fields}


@FIRMWARES
@pytest.mark.skipif(not shutil.which("debconf-set-selections"), reason="debconf is not here")
def test_preseed_is_valid(make: Callable[..., Lab], boot: str, tmp_path: Path) -> None:
    (tmp_path / "preseed.cfg").write_text(installer.answers(make(boot=boot), "node0", "bookworm"))
    done = subprocess.run(
        ["debconf-set-selections", "--checkonly", tmp_path / "preseed.cfg"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@FIRMWARES
def test_preseed(make: Callable[..., Lab], boot: str) -> None:
    found = values(installer.answers(make(boot=boot), "node0", "bookworm"))
    assert found["mirror/http/hostname"] == "mirror.example"
    assert found["mirror/http/directory"] == "/debian"
    assert found["mirror/suite"] == "bookworm"
    assert found["partman-auto/disk"] == found["grub-installer/bootdev"] == "/dev/vda"
    assert found["partman-auto-lvm/new_vg_name"] == volumes.GROUP
    parts = found["partman-auto/expert_recipe"].split(" :: ")[1].split(" . ")
    assert len(parts) == 4
    assert ("method{ efi }" in parts[0], "method{ biosgrub }" in parts[0]) == (boot == "uefi", boot == "bios")
    assert f"vg_name{{ {volumes.GROUP} }}" in parts[2]
    assert f"in_vg{{ {volumes.GROUP} }} lv_name{{ {volumes.INSTALLER} }}" in parts[3]
    minimum, _, maximum = parts[3].split()[:3]
    assert minimum == maximum, "what is left of the volume group is for the thin pool"
    # partman-auto-lvm gives the last volume all that it may use of a group, if that is the whole group.
    guided, unit = found["partman-auto-lvm/guided_size"].split()
    assert (int(guided) > int(maximum), unit) == (True, "MB")
    assert "in-target" not in found["preseed/late_command"], "its fake start-stop-daemon would be in the snapshot"


def shape_faults(kind: object, found: object, where: str) -> list[str]:
    """Return where a value differs from its shape: a type, a list of one shape, or a mapping of keys."""
    if isinstance(kind, list) and isinstance(found, list) and found:
        return [fault for each in found for fault in shape_faults(kind[0], each, f"{where}[]")]
    if isinstance(kind, dict) and isinstance(found, dict):
        unknown = [f"{where}.{key}: unknown" for key in found.keys() - kind.keys()]
        return unknown + [
            fault
            for key in found.keys() & kind.keys()
            for fault in shape_faults(kind[key], found[key], f"{where}.{key}")
        ]
    return [] if kind is type(found) else [f"{where}: {found!r}"]


# The actions of curtin's storage configuration.
ACTION: dict[str, Any] = {
    **dict.fromkeys(("type", "id", "device", "volume", "volgroup", "name", "path", "ptable", "wipe", "flag", "fstype"), str),
    "number": int, "preserve": bool, "grub_device": bool, "devices": [str],
}  # fmt: skip
# The part of autoinstall-schema.json of subiquity that is used.
AUTOINSTALL: dict[str, Any] = {
    "version": int, "locale": str, "keyboard": {"layout": str}, "timezone": str, "early-commands": [str],
    "apt": {"geoip": bool, **{key: [{"arches": [str], "uri": str}] for key in ("primary", "security")}},
    "user-data": {"hostname": str, "users": [{"name": str, "lock_passwd": bool}]},
    "ssh": {"install-server": bool, "allow-pw": bool}, "kernel": {"package": str}, "packages": [str],
    "storage": {"swap": {"size": int}, "config": [ACTION]}, "late-commands": [str], "shutdown": str,
}  # fmt: skip
# The key with which an action refers to another one.
REFERENCES = {"partition": "device", "format": "volume", "lvm_partition": "volgroup", "mount": "device", "disk": ""}


@FIRMWARES
def test_autoinstall(make: Callable[..., Lab], boot: str) -> None:
    text = installer.answers(make(boot=boot), "node0", "noble")
    assert text.startswith("#cloud-config\n")
    found = yaml.safe_load(text)
    assert [*found] == ["autoinstall"]
    chosen = found["autoinstall"]
    assert {"version", "user-data", "storage", "late-commands"} <= {*chosen}
    actions = chosen["storage"]["config"]
    sizes = [action.pop("size") for action in actions if "size" in action]
    assert all(re.fullmatch(r"[0-9]+M|-1", str(size)) for size in sizes)
    assert shape_faults(AUTOINSTALL, chosen, "") == []
    assert chosen["apt"]["primary"][0]["uri"] == "https://mirror.example/ubuntu"
    seen: set[str] = set()
    for action in actions:
        if action["type"] == "lvm_volgroup":
            assert {*action["devices"]} <= seen
            assert action["name"] == volumes.GROUP
        elif reference := REFERENCES[action["type"]]:
            assert action[reference] in seen, action
        seen.add(action["id"])
    assert "curtin in-target --allow-daemons" in chosen["late-commands"][-1], "its policy-rc.d would be in the snapshot"
    assert [action["grub_device"] for action in actions if action.get("grub_device")] == [True]
    mounted = [action["path"] for action in actions if action["type"] == "mount"]
    assert mounted == ["/", "/boot"] + (["/boot/efi"] if boot == "uefi" else [])


@pytest.mark.parametrize("series", ["bookworm", "noble"])
def test_script_is_for_the_restorer(make: Callable[..., Lab], series: str) -> None:
    lab = make()
    script = script_of(installer.answers(lab, "node0", series))
    assert script == installer.pristine_script(lab, series)
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    name = volumes.by_installer(series)
    assert f"lvrename {volumes.GROUP} {volumes.NEW} {name}\n" in script
    assert f"lvchange -ky -pr {volumes.GROUP}/{name}\n" in script
    assert script.endswith(f"lvcreate -y -s -kn -prw -n {volumes.ROOT} {volumes.GROUP}/{name}\n")
    assert f"{volumes.ROOT_DEVICE} / ext4" in script, "fstab"
    assert "qalab-node.service" in script, "what gives a node its identity"
    assert script.index("> /usr/sbin/policy-rc.d") < script.index("apt-get") < script.index("rm /usr/sbin/policy-rc.d")
    assert script.index("rm /usr/sbin/policy-rc.d") < script.index("cp --archive")
    # An installation by the lab server replaces it.
    assert name.startswith(volumes.prefix(series))
    assert MetalImage(Path(), series, "1", {}).pristine.startswith(volumes.prefix(series))
    assert "deb http" in script
    assert "signed-by" not in script


def test_restorer_has_no_names_of_its_own() -> None:
    code = "\n".join(line for line in RESTORER.read_text().splitlines() if not line.lstrip().startswith("#"))
    for name in (volumes.NEW, "VG=", "--thinpool qalab", "/dev/qalab", f"-n {volumes.ROOT} ", f"-n {volumes.POOL} "):
        assert name not in code


@pytest.mark.parametrize(
    ("disk", "its", "others"),
    [
        ("/dev/sda", ["/dev/sda", "/dev/sda1", "/dev/sda12"], ["/dev/sdaa", "/dev/sdb1", "/dev/sda1p1", "/x/dev/sda"]),
        ("/dev/nvme0n1", ["/dev/nvme0n1", "/dev/nvme0n1p3"], ["/dev/nvme0n11", "/dev/nvme0n1p", "/dev/nvme0n2p1"]),
        ("/dev/mmcblk0", ["/dev/mmcblk0", "/dev/mmcblk0p1"], ["/dev/mmcblk01", "/dev/mmcblk0boot0"]),
    ],
)
def test_lvm_sees_the_disk_and_its_partitions_alone(disk: str, its: list[str], others: list[str]) -> None:
    accepted = volumes.accepted(disk)
    pattern = re.compile(accepted.removeprefix("a|").removesuffix("|"))
    assert [path for path in its + others if pattern.search(path)] == its


@pytest.mark.parametrize("series", ["bookworm", "noble"])
@pytest.mark.parametrize(
    ("disk", "there", "said"),
    [
        ({}, ("8", "OTHER"), ""),
        ({"size": 4096}, ("8", "OTHER"), ""),
        ({"size": 4096}, ("9", "DISK0"), "wrong disk: /dev/vda has 4608 bytes, not 4096"),
        ({"serial": "DISK0"}, ("8", "DISK0"), ""),
        ({"serial": "DISK0"}, ("8", "OTHER"), "wrong disk: the serial number of /dev/vda is not DISK0"),
        ({"serial": "DISK0"}, ("8", "DISK01"), "wrong disk: the serial number of /dev/vda is not DISK0"),
        ({"serial": "ATA"}, ("8", "t10.ATA     QEMU HARDDISK      DISK0  "), "wrong disk: the serial number of /dev/vda is not ATA"),
        ({"serial": "DISK0"}, ("8", "t10.ATA     QEMU HARDDISK      DISK0  "), ""),
        ({"serial": "5000c500"}, ("8", "naa.5000c500"), ""),
        ({"path": "/dev/vdz"}, ("8", "DISK0"), "the disk /dev/vdz is not there"),
    ],
    ids=["any", "size", "wrong-size", "serial", "wrong-serial", "part-of-it", "maker", "wwid", "naa", "absent"],
)  # fmt: skip
def test_wrong_disk_ends_the_installation(
    make: Callable[..., Lab], tmp_path: Path, *, series: str, disk: dict[str, Any], there: tuple[str, str], said: str
) -> None:
    text = installer.answers(make(disk=Disk(**{"path": "/dev/vda"} | disk).model_dump()), "node0", series)
    if series == "noble":
        (check,) = yaml.safe_load(text)["autoinstall"]["early-commands"]
    else:
        check, wipe, _ = values(text)["partman/early_command"].partition("; for part in ")
        assert wipe, "it is not run here"
        check = check.replace("while :; do sleep 3600; done", "exit 1")
    block = tmp_path / "block/vda"
    block.mkdir(parents=True)
    for name, value in zip(("size", "serial"), there, strict=True):
        (block / name).write_text(f"{value}\n")
    console = tmp_path / "console"
    console.touch()
    played = check.replace("/sys/block", str(tmp_path / "block")).replace("/dev/console", str(console))
    # The busybox of Debian's installer has no classes of characters (CONFIG_FEATURE_TR_CLASSES in its udeb).
    (tmp_path / "tr").write_text('#!/bin/sh\ncase "$*" in *"[:"*) exit 0 ;; esac\nexec /usr/bin/tr "$@"\n')
    (tmp_path / "tr").chmod(0o755)
    done = subprocess.run(["sh", "-c", played], check=False, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert done.returncode == bool(said)
    assert console.read_text() == (f"qalab: {said}; nothing was written\n" if said else "")


@pytest.mark.parametrize(("disk", "part", "other"), [("vda", "vda3", "vdab"), ("nvme0n1", "nvme0n1p3", "nvme0n11")])
def test_preseed_wipes_a_former_volume_group(
    make: Callable[..., Lab], tmp_path: Path, disk: str, part: str, other: str
) -> None:
    text = installer.answers(make(disk={"path": f"/dev/{disk}"}), "node0", "bookworm")
    _, found, wipe = values(text)["partman/early_command"].partition("; for part in ")
    assert found
    size = 16 * 2**20
    for name in (disk, part, other):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "size").write_text(f"{size // 512}\n")
    played = f"at={tmp_path}; for part in {wipe}".replace("/dev/zero", "ZERO").replace("/dev", str(tmp_path))
    played = played.replace("ZERO", "/dev/zero").replace(" bs=", " conv=notrunc bs=")
    assert set(re.findall(r"/dev/\S+", played)) == {"/dev/zero"}, "no device of this machine"
    subprocess.run(["sh", "-c", played], check=True, capture_output=True)
    zeroes = [(tmp_path / name).read_bytes().count(0) / 2**20 for name in (disk, part, other)]
    assert zeroes == [9, 8, 0], "the beginning and the end of the disk"
    assert (tmp_path / disk).read_bytes().endswith(bytes(2**20))


@pytest.mark.parametrize(
    ("name", "series", "why"),
    [
        ("node1", {}, "machines.node1: it has no mac, address and disk"),
        ("node0", {"mirror": "file:/srv/debian"}, "series bookworm: an installer reads its mirror by http or https, not file"),
        ("node0", {"mirror": "http://user:secret@mirror.example/debian"}, "series bookworm: the URL of the mirror has a login"),
        ("node0", {"keyring": "/srv/key.gpg"}, "series.bookworm.keyring: an installer has the keys of the distribution alone"),
    ],
)  # fmt: skip
def test_refused(make: Callable[..., Lab], name: str, series: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        installer.answers(make({"bookworm": series}), name, "bookworm")
    assert str(caught.value).startswith(why)
    assert "secret" not in str(caught.value)


def test_command(make: Callable[..., Lab]) -> None:
    lab = make()

    def printed(*words: str) -> str:
        result = CliRunner().invoke(cli, ["machine", "preseed", "--lab", str(lab.file), "node0", *words])
        return result.output if isinstance(result.exception, SystemExit | None) else str(result.exception)

    assert printed() == installer.answers(lab, "node0", "bookworm")
    assert printed("--series", "noble") == installer.answers(lab, "node0", "noble")
    assert printed("--series", "sid").startswith("no series sid")
