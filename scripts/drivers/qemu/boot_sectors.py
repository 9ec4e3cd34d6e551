"""GRUB in the image of a disk, for a BIOS: what grub-bios-setup writes, without a device to write it to.

The disk has a GPT with a BIOS boot partition that has GRUB's core image.  See grub-core/boot/i386/pc/boot.S and
diskboot.S in GRUB's sources: the first sector of the disk loads the first one of the core image, which loads the rest.
"""

from __future__ import annotations

import struct
from pathlib import Path

from lab.base.errors import InfrastructureError

SECTOR = 512
CODE_BYTES = 0x1B8  # after it: the disk's signature and the table of partitions
KERNEL_SECTOR = 0x5C
DRIVE_CHECK = 0x66
NOP = b"\x90"
BLOCKS = SECTOR - 12  # of diskboot.S: the sector, the number of sectors (2 bytes), the segment (2 bytes)


def boot_sector(boot: bytes, first: int) -> bytes:
    """Return the code of a disk's first sector, made from boot.img; ``first``: the sector where the core image begins.

    Raises InfrastructureError for a file that is not boot.img.
    """
    if len(boot) != SECTOR or not boot.endswith(b"\x55\xaa"):
        raise InfrastructureError("boot.img: not a boot sector of GRUB")
    code = bytearray(boot[:CODE_BYTES])
    struct.pack_into("<Q", code, KERNEL_SECTOR, first)
    code[DRIVE_CHECK : DRIVE_CHECK + 2] = NOP * 2  # of use to floppy disks only
    return bytes(code)


def core_image(core: bytes, first: int, most: int) -> bytes:
    """Return a core image that begins at a sector; ``most``: the number of sectors that the partition has.

    Raises InfrastructureError for one that is too large.
    """
    sectors = -(-len(core) // SECTOR)
    if not 1 < sectors <= most:
        raise InfrastructureError(f"core.img: {sectors} sectors do not fit into {most}")
    patched = bytearray(core)
    struct.pack_into("<QH", patched, BLOCKS, first + 1, sectors - 1)
    return bytes(patched)


def embed(disk: Path, boot: bytes, core: bytes, first: int, most: int) -> None:
    """Write GRUB into the image of a disk whose BIOS boot partition begins at a sector."""
    with disk.open("r+b") as image:
        image.write(boot_sector(boot, first))
        image.seek(first * SECTOR)
        image.write(core_image(core, first, most))
