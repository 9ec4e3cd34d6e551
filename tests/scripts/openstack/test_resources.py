"""The resources of a cloud, with an image service that stores its input."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.openstack import resources
from scripts.openstack.guest import Guest


class Images:
    """Images by id, and their values."""

    def __init__(self) -> None:
        self.there: dict[str, Any] = {}
        self.made = 0

    def images(self, name: str) -> list[Any]:
        return [each for each in self.there.values() if each.name == name]

    def create_image(self, name: str, data: bytes, **values: Any) -> Any:
        self.made += 1
        said = {"kernel_id": None, "ramdisk_id": None, **values}
        image = SimpleNamespace(
            id=str(self.made), name=name, status="active", hash_value=hashlib.sha512(data).hexdigest(), **said
        )
        return self.there.setdefault(image.id, image)

    def delete_image(self, image: str) -> None:
        del self.there[image]


@pytest.mark.parametrize("changed", ["", "kernel", "ramdisk"])
def test_machine_image_names_its_kernel_and_ramdisk(tmp_path: Path, changed: str) -> None:
    for name in ("kernel", "ramdisk"):
        (tmp_path / name).write_bytes(name.encode())
    cloud: Any = SimpleNamespace(image=Images())
    first = resources.image(cloud, Guest(tmp_path))
    if changed:
        (tmp_path / changed).write_bytes(b"another")
    again = resources.image(cloud, Guest(tmp_path))
    assert (again == first) == (not changed)
    image = cloud.image.there[again]
    assert {image.kernel_id, image.ramdisk_id} < {*cloud.image.there}
    assert len(cloud.image.there) == 3
