"""Losses in the control files of packages, and moves between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from scripts.archives.changed_relations import changed_relations
from scripts.archives.content_comparison import BuildContent
from scripts.archives.package_content import BinaryContent
from tests.scripts.archives.test_content_comparison import GREET, package

SHARE = "usr/share/greet/words"


def having(
    *files: str, name: str = "greet", version: str = "1", replaces: Iterable[str] = (), provides: Iterable[str] = ()
) -> BinaryContent:
    return BinaryContent(
        name, version, dict.fromkeys(files, 1), replaces=frozenset(replaces), provides=frozenset(provides)
    )


def needing(*names: str) -> BinaryContent:
    return package([GREET], needs={*names})


def python(release: str = "1.0", form: str = "egg-info", more: Iterable[str] = (), **others: Any) -> BinaryContent:
    place = "usr/lib/python3/dist-packages"
    return package(
        [f"{place}/greet.py", *(f"{place}/Greet-{release}.{form}/{name}" for name in ("RECORD", *more))], **others
    )


@pytest.mark.parametrize(
    "before, now, expected",
    [
        pytest.param([needing("libc6")], [needing()], ["dependencies gone: greet (libc6)"], id="the only dependency"),
        pytest.param([needing("libc6", "perl")], [needing()], ["dependencies gone: greet (libc6, perl)"], id="all dependencies"),
        pytest.param([needing()], [needing()], [], id="no dependencies before either"),
        pytest.param([needing("libssl1.1")], [needing("libssl3")], [], id="another number"),
        pytest.param([needing("debconf")], [needing("cdebconf")], [], id="another dependency"),
        pytest.param([needing("libc6", "perl", "libx1", "libz1")], [needing("libc6", "libz2")],
                     ["dependencies halved: greet (libx1, perl)"], id="half of the dependencies"),
        pytest.param([needing("libc6", "perl", "libz1")], [needing("libc6")], [], id="some of few dependencies"),
        pytest.param([needing("dpkg | install-info", "a | b", "libx1", "libz1t64", "y")], [needing("libx1", "libz2", "y")], [],
                     id="an alternative counts once"),
        pytest.param([python(needs={"python3", "python3-six"})], [python(needs={"python3-six"})],
                     ["dependencies gone: greet (python3)"], id="the language of its modules"),
        pytest.param([package([GREET], interpreters={GREET: "usr/bin/perl"}, needs={"libc6", "perl"})],
                     [package([GREET], interpreters={GREET: "usr/bin/perl"}, needs={"libc6"})],
                     ["dependencies gone: greet (perl)"], id="the language of its script"),
        pytest.param([package(versioned={"abi"}, provides={"abi"})], [package(provides={"abi"})],
                     ["Provides without version: abi"], id="the version of Provides"),
        pytest.param([package(versioned={"abi"}, provides={"abi"})], [package()], [], id="Provides gone, told by another rule"),
        pytest.param([having(name="a", version="1:1.0-1"), having(name="b", version="1.0-1")],
                     [having(name="a", version="1.1-1"), having(name="b", version="1.1-1")],
                     ["version fell: a (1:1.0-1 before, 1.1-1 now)"], id="a lower version"),
        pytest.param([having(name="a", version="1.1-1"), python("1.2", version="1.1-1")],
                     [having(name="a", version="1.0-1"), python("1.1", version="1.0-1")], [], id="an older commit"),
        pytest.param([python("1.2")], [python("0.0.0")], ["version fell: greet greet (1.2 before, 0.0.0 now)"],
                     id="a project without its version"),
        pytest.param([python("1.2.0")], [python("1.2")], [], id="the same release"),
        pytest.param([python("1.2.dev7")], [python("1.10", "dist-info")], [], id="a later release, of another form"),
        pytest.param([python(more=["entry_points.txt"])], [python()], ["entry points gone: greet greet"], id="entry points"),
        pytest.param([having(GREET)], [having(GREET, SHARE), having(SHARE, name="data")],
                     [f"file in two packages: data greet ({SHARE})"], id="a new file in two packages"),
        pytest.param([having(GREET)], [having(GREET, SHARE), having(SHARE, name="data", replaces={"greet"})], [],
                     id="a new file in two packages, one replaces the other"),
        pytest.param([having(GREET)], [having(SHARE, name="a", provides={"mta"}), having(SHARE, name="b", replaces={"mta"})], [],
                     id="a new file in packages that are never beside each other"),
        pytest.param([package([GREET])], [package([GREET]), package([GREET], "greet:arm64")], [], id="another architecture"),
        pytest.param([package(promises={"Multi-Arch: foreign", "Essential: yes"})], [package(promises={"Multi-Arch: same"})],
                     ["field gone: greet Essential: yes", "field gone: greet Multi-Arch: foreign"], id="promises"),
        pytest.param([package()], [package(promises={"Multi-Arch: foreign"})], [], id="a new promise"),
        pytest.param([package(questions={"greet/name", "greet/place"})], [package(questions={"greet/place"})],
                     ["questions gone: greet (greet/name)"], id="a question"),
        pytest.param([having(GREET, SHARE), having(name="data")], [having(GREET), having(SHARE, name="data")],
                     [f"moved without Replaces: data from greet ({SHARE})"], id="a file moved"),
        pytest.param([having(GREET, SHARE)], [having(GREET), having(SHARE, name="data")],
                     [f"moved without Replaces: data from greet ({SHARE})"], id="a file moved to a new package"),
        pytest.param([having(GREET, SHARE)], [having(GREET, SHARE, name="greet2")],
                     [f"moved without Replaces: greet2 from greet ({GREET}, {SHARE})"], id="a package renamed"),
        pytest.param([having(GREET, SHARE)], [having(GREET), having(SHARE, name="data", replaces=["greet"])], [],
                     id="a move with Replaces"),
        pytest.param([having(GREET, SHARE, name="greet:arm64")],
                     [having(GREET, name="greet:arm64"), having(SHARE, name="data", replaces=["greet"])], [],
                     id="a move with Replaces, cross-built"),
        pytest.param([having(SHARE), having(SHARE, name="greet-nox")], [having(SHARE), having(SHARE, name="greet-nox")], [],
                     id="packages that are never beside each other"),
    ],
)  # fmt: skip
def test_control_file_losses(
    before: Iterable[BinaryContent], now: Iterable[BinaryContent], expected: list[str]
) -> None:
    found = changed_relations(BuildContent.of(before), BuildContent.of(now))
    assert list(map(str, found)) == expected
