"""The lock: requirements-dev.txt pins all that pyproject.toml asks for, and requirements.txt is a part of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lab.base import resources

GROUPS = {"requirements.txt": (), "requirements-dev.txt": ("dev",)}
ENTRY = re.compile(r"^(?P<pin>[^\s#].*?) \\\n(?P<hashes>(?: +--hash=.*\n)+)(?P<via>(?: +#.*\n)*)", re.MULTILINE)


class Pin(NamedTuple):
    """One locked package; ``via`` names what requires it."""

    requirement: str
    hashes: tuple[str, ...]
    via: str

    @property
    def version(self) -> str:
        return str(Requirement(self.requirement).specifier).removeprefix("==")


def pins(text: str) -> dict[str, Pin]:
    """Return the packages of a lock by their names."""
    found = {}
    for entry in ENTRY.finditer(text):
        hashes = tuple(re.findall("sha256:[0-9a-f]{64}", entry["hashes"]))
        found[canonicalize_name(Requirement(entry["pin"]).name)] = Pin(entry["pin"], hashes, entry["via"])
    return found


def read(name: str) -> dict[str, Pin]:
    return pins(resources.path(name).read_text())


def required(*groups: str) -> dict[str, Requirement]:
    """Return the requirements of pyproject.toml, with those of dependency groups."""
    content = tomllib.loads(resources.path("pyproject.toml").read_text())
    lines = content["project"]["dependencies"] + [
        line for name in groups for line in content["dependency-groups"][name]
    ]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def differences(part: Mapping[str, Pin], whole: Mapping[str, Pin]) -> list[str]:
    """Return the names of the packages of one lock that another does not pin to the same version and hashes."""
    return [
        name
        for name, pin in part.items()
        if name not in whole or (pin.version, pin.hashes) != (whole[name].version, whole[name].hashes)
    ]


def test_runtime_lock_is_a_part_of_the_whole() -> None:
    """If not, run ``tox -e lock``."""
    assert differences(read("requirements.txt"), read("requirements-dev.txt")) == []


@pytest.mark.parametrize("other", ["two==1 0", "one==1.1 0", "one==1 1"])
def test_another_package_version_or_hash_is_a_difference(other: str) -> None:
    one, two = (
        pins(f"{pin} \\\n    --hash=sha256:{digit * 64}\n    # via three\n")
        for pin, digit in (text.split() for text in ("one==1 0", other))
    )
    assert differences(one, one) == []
    assert differences(one, two) == ["one"]


@pytest.mark.parametrize(("name", "groups"), GROUPS.items())
def test_lock_is_of_this_pyproject(name: str, groups: tuple[str, ...]) -> None:
    """Each requirement is pinned as it demands; none is pinned that was removed.  If not, run ``tox -e lock``."""
    locked, wanted = read(name), required(*groups)
    assert {key for key, pin in locked.items() if "(pyproject.toml" in pin.via} == set(wanted)
    assert [key for key, asks in wanted.items() if not asks.specifier.contains(locked[key].version)] == []


@pytest.mark.parametrize("name", GROUPS)
def test_every_pin_is_read_and_has_a_hash(name: str) -> None:
    locked = read(name)
    assert len(locked) == len(re.findall(r"^[^\s#].*==", resources.path(name).read_text(), re.MULTILINE)) > 30
    assert all(pin.hashes for pin in locked.values())
