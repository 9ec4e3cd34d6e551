"""An index in parts."""

from __future__ import annotations

import random

import pytest

from scripts.archives import packed_index, stanzas
from scripts.archives.package_index import PackageIndex
from scripts.archives.stanzas import Stanza

NAMES = [f"package-{number:04}" for number in range(600)]


def binary(name: str, version: str = "1", source: str = "") -> Stanza:
    text = (
        f"Package: {name}\nSource: {source or name}\nVersion: {version}\nArchitecture: all\nFilename: pool/{name}.deb\n"
    )
    return stanzas.parsed("binary", text)


def index_of(*names: str) -> PackageIndex:
    return PackageIndex.of("binary", {name: binary(name) for name in names})


def begins(index: PackageIndex) -> list[str]:
    return [part.first for part in index.parts]


BEGIN = begins(index_of(*NAMES))


@pytest.mark.parametrize(
    ("added", "removed"),
    [
        pytest.param(NAMES[:1], [], id="first package anew"),
        pytest.param(["a"], [], id="before the first package"),
        pytest.param(["z"], [], id="behind the last package"),
        pytest.param([], [BEGIN[1]], id="a package that begins a part goes"),
        pytest.param([], [BEGIN[-1]], id="the package that begins the last part goes"),
        pytest.param([], BEGIN, id="all packages that begin a part go"),
        pytest.param(["zz"], BEGIN, id="all that begin a part go, and one comes"),
        pytest.param([], NAMES, id="all go"),
        pytest.param([], NAMES[:-1], id="all but the last go"),
        pytest.param(NAMES[:3], NAMES, id="all go, and three come"),
        pytest.param([], [name for name in NAMES if BEGIN[1] <= name < BEGIN[2]], id="a whole part goes"),
        pytest.param([], [name for name in NAMES if name >= BEGIN[-1]], id="the last part goes"),
        pytest.param([], [name for name in NAMES if name < BEGIN[1]], id="the first part goes"),
        pytest.param([], ["none"], id="a package that is not there goes"),
    ],
)
def test_index_is_that_of_its_packages_whatever_it_was_made_from(added: list[str], removed: list[str]) -> None:
    new = {name: binary(name, "2") for name in added}
    changed = index_of(*NAMES).changed(new, removed)
    wanted = {**{name: binary(name) for name in NAMES if name not in removed}, **new}
    assert changed == PackageIndex.of("binary", wanted)
    assert changed.stanzas == wanted
    assert [changed.get(name) for name in wanted] == list(wanted.values())
    again = PackageIndex.of_pieces(
        "binary", packed_index.unpack(packed_index.pack([each.piece for each in changed.parts]))
    )
    assert (again.stanzas, begins(again)) == (wanted, begins(changed))


def test_index_after_many_changes() -> None:
    chance, index, wanted = random.Random(1), index_of(), {}
    for _ in range(30):
        new = {name: binary(name, str(chance.random())) for name in chance.sample([*NAMES, *BEGIN * 9], 9)}
        gone = set(chance.sample(NAMES, 4)) - new.keys()
        wanted = {name: stanza for name, stanza in wanted.items() if name not in gone} | new
        index = index.changed(new, gone)
        assert index == PackageIndex.of("binary", wanted)


def test_index_reads_the_parts_that_a_change_touches() -> None:
    index = PackageIndex.of_text("binary", b"".join(part.piece.data for part in index_of(*NAMES).parts).decode())
    changed = index.changed({BEGIN[2]: binary(BEGIN[2], "2")})
    assert [part is old for part, old in zip(changed.parts, index.parts, strict=True)].count(False) == 1
    assert [begin for part, begin in zip(index.parts, BEGIN, strict=True) if "stanzas" in vars(part)] == [BEGIN[2]]


def test_index_finds_the_packages_of_a_version() -> None:
    names = ("lib", "lib-data", "lib2", "other")
    found = {name: binary(name, "2" if name == "lib2" else "1", "lib") for name in names}
    index = PackageIndex.of("binary", found | {"lib-more": binary("lib-more", "1", "liberty")})
    assert [each.package for each in index.of_version("lib", "1")] == ["lib", "lib-data", "other"]
    assert not [*index.of_version("li", "1")]
