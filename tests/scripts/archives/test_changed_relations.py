"""Losses in the control files of packages, and moves between them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from scripts.archives.changed_relations import changed_relations
from scripts.archives.content_comparison import BuildContent
from scripts.archives.package_content import BinaryContent
from tests.scripts.archives.test_content_comparison import GREET, package

SHARE = "usr/share/greet/words"


def having(*files: str, name: str = "greet", replaces: Iterable[str] = ()) -> BinaryContent:
    return BinaryContent(name, "1", dict.fromkeys(files, 1), replaces=frozenset(replaces))


def needing(*names: str) -> BinaryContent:
    return package([GREET], needs={*names})


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
