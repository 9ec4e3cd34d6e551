"""What the restorer has of a kernel's modules."""

from __future__ import annotations

import subprocess

import pytest

from scripts.machines import restorer


@pytest.mark.parametrize(
    "module, kept",
    [
        ("scsi/sd_mod", True),
        ("scsi/scsi_transport_fc", True),
        ("nvme/host/nvme", True),
        ("nvme/host/nvme-core", True),
        ("md/dm-thin-pool", True),
        ("md/raid1", True),
        ("block/virtio_blk", True),
        ("net/ethernet/mellanox/mlx5/core/mlx5_core", True),
        ("block/drbd/drbd", False),
        ("block/rbd", False),
        ("block/zram/zram", False),
        ("md/bcache/bcache", False),
        ("nvme/host/nvme-rdma", False),
        ("nvme/target/nvmet", False),
        ("scsi/scsi_debug", False),
    ],
)
def test_modules_that_no_disk_needs_are_left_out(module: str, *, kept: bool) -> None:
    """By the grep of the script, as find(1) prints a module."""
    pattern = f"/drivers/({'|'.join(restorer.NO_DISKS)})"
    assert f'grep -vE "{pattern.replace("|".join(restorer.NO_DISKS), "$NO_DISKS")}"' in restorer.BUILD
    found = subprocess.run(
        ["grep", "-vE", pattern], input=f"kernel/drivers/{module}.ko\n", capture_output=True, text=True, check=False
    )
    assert bool(found.stdout) == kept
    assert any(f"drivers/{module}".startswith(part) for part in restorer.MODULES)
