"""image-bundle: a kernel, a ramdisk and a machine image that names both, uploaded, read back, deleted."""

from __future__ import annotations

import hashlib
import random
from contextlib import ExitStack, suppress

from lab.errors import Failed
from scripts.cloud import Cloud, Refused
from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene

NAME = "image-bundle"
SIZE = 1 << 20
PARTS = ("aki", "ari", "ami")
OCTETS = {"Content-Type": "application/octet-stream"}


def exercise(scene: Scene, cases: Cases) -> None:
    cloud = Cloud.of(scene.role("keystone").settings)
    cloud.authenticate()
    images = f"{cloud.url('image')}/v2/images"
    ids: dict[str, str] = {}
    with ExitStack() as cleaning:
        for seed, kind in enumerate(PARTS):
            content = random.Random(seed).randbytes(SIZE)  # noqa: S311 - the same in every run, and no secret
            with cases.case(f"the {kind} is uploaded") as case:
                of = {"kernel_id": ids["aki"], "ramdisk_id": ids["ari"]} if kind == "ami" else {}
                values = {"name": f"exercise-{kind}", "container_format": kind, "disk_format": kind, **of}
                ids[kind] = cloud.ask("POST", images, json=values).json()["id"]
                cleaning.callback(_delete, cloud, f"{images}/{ids[kind]}")
                cloud.ask("PUT", f"{images}/{ids[kind]}/file", data=content, headers=OCTETS)
                image = cloud.get(f"{images}/{ids[kind]}")
                case.output = f"{image['status']} {image['size']} {image['os_hash_value'][:16]}"
                _same("status", image["status"], "active")
                _same("SHA-512", image["os_hash_value"], hashlib.sha512(content).hexdigest())
            with cases.case(f"the {kind} is read back as it was"):
                _same("content", cloud.ask("GET", f"{images}/{ids[kind]}/file").content, content)
        with cases.case("the machine image names its kernel and its ramdisk") as case:
            image = cloud.get(f"{images}/{ids['ami']}")
            case.output = f"kernel {image['kernel_id']}, ramdisk {image['ramdisk_id']}"
            _same("kernel", image["kernel_id"], ids["aki"])
            _same("ramdisk", image["ramdisk_id"], ids["ari"])
        with cases.case("all are deleted, and gone"):
            for kind in PARTS:
                cloud.ask("DELETE", f"{images}/{ids[kind]}")
            left = [image["name"] for image in cloud.get(images)["images"] if image["id"] in ids.values()]
            _same("what is left", left, [])


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failed(f"{what}: {str(found)[:60]} instead of {str(wanted)[:60]}")


def _delete(cloud: Cloud, url: str) -> None:
    with suppress(Refused):  # it is gone already
        cloud.ask("DELETE", url)
