"""volume: a volume is created, attached, seen and used inside the guest, detached, deleted."""

from __future__ import annotations

from scripts.exercises.cases import Cases
from scripts.exercises.reachability import answers, ssh
from scripts.exercises.scene import Scene
from scripts.exercises.servers import CLEANED, EMPTIED, GONE, ROLES, project

NAME = "volume"
NEEDS = ("keystone", *ROLES, "cinder")
CREATED, RUNS, ATTACHED, SEEN, WRITTEN, DETACHED, DELETED = (
    "a volume is created",
    "a guest runs",
    "it is attached",
    "the guest sees it, with its size",
    "what the guest writes can be read",
    "it is detached, and the guest no longer has it",
    "it is deleted, and gone",
)
CASES = (EMPTIED, CREATED, RUNS, ATTACHED, SEEN, WRITTEN, DETACHED, DELETED, CLEANED)
GIB = 1
# Prints the size, in sectors of 512 bytes, of the disk that was plugged in, once it is there; see sysfs(5).
SIZE = "for i in $(seq 50); do cat /sys/block/vdb/size 2> /dev/null && exit; sleep 0.2; done; echo no such disk; exit 1"
WRITE = "echo a volume for exercises > /tmp/wrote && dd if=/tmp/wrote of=/dev/vdb conv=fsync 2> /dev/null && head -n 1 /dev/vdb"
ABSENT = "for i in $(seq 50); do [ -e /sys/block/vdb ] || exit 0; sleep 0.2; done; echo the disk is still there; exit 1"


def exercise(scene: Scene, cases: Cases) -> None:
    with project(scene, cases, *ROLES, "cinder") as at:
        volumes = at.cloud.block_storage
        with cases.case(CREATED) as case:
            volume = volumes.create_volume(name=NAME, size=GIB)

            def state() -> str:
                return next((str(each.status) for each in volumes.volumes() if each.id == volume.id), GONE)

            at.wait("the volume", state, "available")
            case.output = f"{volume.id}, {GIB} GiB"
        with cases.case(RUNS) as case:
            server = at.launch(NAME)
            at.booted(server)
            address = str(at.address(server).floating_ip_address)
            answers(at, address)
            case.output = ssh(at, address, "cat /proc/partitions")
        with cases.case(ATTACHED):
            at.cloud.compute.create_volume_attachment(server, volume_id=volume.id)
            at.wait("the volume", state, "in-use")
        with cases.case(SEEN) as case:
            case.output = ssh(at, address, SIZE)
            assert int(case.output) * 512 == GIB << 30, f"it has {case.output} sectors"  # noqa: S101 - a case is an assertion
        with cases.case(WRITTEN) as case:
            case.output = ssh(at, address, WRITE)
            assert case.output == "a volume for exercises", "it is something else"  # noqa: S101
        with cases.case(DETACHED):
            at.cloud.compute.delete_volume_attachment(server, volume.id)
            at.wait("the volume", state, "available")
            ssh(at, address, ABSENT)
        with cases.case(DELETED):
            volumes.delete_volume(volume)
            at.wait("the volume", state, GONE)
