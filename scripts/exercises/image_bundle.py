"""image-bundle: a kernel, a ramdisk and a machine image that names both, uploaded, read back, deleted."""

from __future__ import annotations

import hashlib
import random
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from lab.base.errors import Failed
from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene
from scripts.openstack.cloud import connect

if TYPE_CHECKING:
    from openstack.image.v2._proxy import Proxy as Image

NAME = "image-bundle"
NEEDS = ("keystone", "glance")
SIZE = 1 << 20
PREFIX = "exercise-"
PARTS = ("aki", "ari", "ami")
UPLOADED, READ = "the {} is uploaded", "the {} is read back as it was"
NAMED, DELETED = "the machine image names its kernel and its ramdisk", "all are deleted, and gone"
CASES = (*(case.format(kind) for kind in PARTS for case in (UPLOADED, READ)), NAMED, DELETED)


def exercise(scene: Scene, cases: Cases) -> None:
    images = connect(scene.role("keystone").settings).image
    with ExitStack() as cleaning:
        sweep(images)  # leftovers of a killed exercise
        cleaning.callback(sweep, images)
        ids: dict[str, str] = {}
        for seed, kind in enumerate(PARTS):
            content = random.Random(seed).randbytes(SIZE)  # noqa: S311 - the same in every run, and no secret
            with cases.case(UPLOADED.format(kind)) as case:
                of = {"kernel_id": ids["aki"], "ramdisk_id": ids["ari"]} if kind == "ami" else {}
                values: dict[str, Any] = {"disk_format": kind, "container_format": kind, **of}
                made = images.create_image(f"{PREFIX}{kind}", data=content, allow_duplicates=True, **values)
                ids[kind] = made.id
                image = images.get_image(made.id)
                case.output = f"{image.status} {image.size} {image.hash_value[:16]}"
                _same("status", image.status, "active")
                _same("SHA-512", image.hash_value, hashlib.sha512(content).hexdigest())
            with cases.case(READ.format(kind)):
                _same("content", images.download_image(ids[kind]).content, content)
        with cases.case(NAMED) as case:
            image = images.get_image(ids["ami"])
            case.output = f"kernel {image.kernel_id}, ramdisk {image.ramdisk_id}"
            _same("kernel", image.kernel_id, ids["aki"])
            _same("ramdisk", image.ramdisk_id, ids["ari"])
        with cases.case(DELETED):
            for kind in PARTS:
                images.delete_image(ids[kind], ignore_missing=False)
            _same("what is left", [image.name for image in images.images() if image.id in ids.values()], [])


def sweep(images: Image) -> None:
    for kind in PARTS:
        for image in images.images(name=f"{PREFIX}{kind}"):
            images.delete_image(image)


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failed(f"{what}: {str(found)[:60]} instead of {str(wanted)[:60]}")
