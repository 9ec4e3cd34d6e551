"""GRUB in the image of a disk, compared with what its sources say about the places."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from scripts.drivers.qemu.boot_sectors import boot_sector, core_image, embed

BOOT = bytes(range(256)) + bytes(254) + b"\x55\xaa"
CORE = b"\x11" * 512 + b"\x22" * 1000  # three sectors


def test_boot_sector_loads_the_core_image() -> None:
    code = boot_sector(BOOT, 2048)
    assert len(code) == 440, "the disk's signature and its partitions stay"
    assert struct.unpack_from("<Q", code, 0x5C) == (2048,)
    assert code[0x66:0x68] == b"\x90\x90"
    assert code[:0x5C] == BOOT[:0x5C]


def test_core_image_knows_where_its_rest_is() -> None:
    core = core_image(CORE, 2048, 100)
    assert struct.unpack_from("<QH", core, 500) == (2049, 2)
    assert (core[:500], core[512:]) == (CORE[:500], CORE[512:])


@pytest.mark.parametrize("boot", [b"", BOOT[:-1], BOOT + b"\0", bytes(512)], ids=["empty", "short", "long", "unsigned"])
def test_other_file_is_no_boot_sector(boot: bytes) -> None:
    with pytest.raises(InfrastructureError, match="not a boot sector"):
        boot_sector(boot, 2048)


@pytest.mark.parametrize(("core", "most"), [(CORE, 2), (b"", 100), (CORE[:512], 100)], ids=["large", "empty", "one"])
def test_core_image_that_does_not_fit(core: bytes, most: int) -> None:
    with pytest.raises(InfrastructureError, match=f"sectors do not fit into {most}"):
        core_image(core, 2048, most)


def test_embedded_grub_leaves_partitions(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"\xff" * 4096)
    embed(disk, BOOT, CORE, 2, 4)
    made = disk.read_bytes()
    assert len(made) == 4096
    assert made[440:1024] == b"\xff" * 584
    assert made[1024:] == core_image(CORE, 2, 4) + b"\xff" * (4096 - 1024 - len(CORE))
