"""The lock lists of a content after changes, and how much of a content a change reads."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from scripts.archives import stanzas
from scripts.archives.content import Content, Rows
from scripts.archives.stanzas import Kind, Stanza

ARCHITECTURES = ("amd64", "arm64")


def package(name: str, version: str, source: str, architecture: str = "all", kind: Kind = "binary") -> Stanza:
    place = "Directory: pool" if kind == "source" else f"Filename: pool/{name}_{version}_{architecture}.deb"
    text = f"Package: {name}\nSource: {source}\nVersion: {version}\nArchitecture: {architecture}\n{place}\n"
    return stanzas.parsed(kind, text)


def source(name: str, version: str) -> Stanza:
    return package(name, version, name, "any", "source")


def locks(content: Content) -> tuple[Rows, Rows]:
    """Return the lock lists as they are when nothing is known of a content before it."""
    fresh = Content(content.architectures).with_indices(content.indices)
    return fresh.versions, fresh.binaries


@pytest.mark.parametrize(
    ("added", "versions", "binaries"),
    [
        pytest.param([package("a", "2", "s", "amd64")], [("s", "1"), ("s", "2")], ["a=1", "a=2", "b=1"], id="one architecture anew"),
        pytest.param(
            [package("a", "2", "s", each) for each in ARCHITECTURES],
            [("s", "1"), ("s", "2")], ["a=2", "b=1"], id="all architectures anew, with a package left over",
        ),
        pytest.param(
            [source("s", "2"), package("a", "2", "s"), package("b", "2", "s")], [("s", "2")], ["a=2", "b=2"],
            id="a whole version anew",
        ),
        pytest.param([package("b", "1", "t")], [("s", "1"), ("t", "1")], ["a=1", "b=1"], id="another source takes a package over"),
        pytest.param([package("a", "9", "u", kind="udeb")], [("s", "1"), ("u", "9")], ["a=1", "b=1"], id="a package for the installer"),
        pytest.param([], [("s", "1")], ["a=1", "b=1"], id="nothing"),
    ],
)  # fmt: skip
def test_content_lists_the_versions_it_has(added: Iterable[Stanza], versions: Rows, binaries: list[str]) -> None:
    first = [source("s", "1"), *(package("a", "1", "s", each) for each in ARCHITECTURES), package("b", "1", "s")]
    content = Content(ARCHITECTURES).with_version(first).with_version(added)
    assert list(content.versions) == versions
    assert [f"{name}={version}" for name, version in content.binaries] == binaries
    assert (content.versions, content.binaries) == locks(content)


def test_content_lists_the_versions_it_has_after_many_changes() -> None:
    chance, content = random.Random(1), Content(ARCHITECTURES)
    for number in range(120):
        name, version = f"s{chance.randrange(12)}", str(chance.randrange(3))
        if number % 4 == 3:
            content = content.without(name, version)
        else:
            of = chance.sample([*ARCHITECTURES, "all"], 2)
            new = [package(f"{name}-{chance.randrange(3)}", version, name, each) for each in of]
            content = content.with_version([*new, source(name, version)][chance.randrange(2) :])
        assert (content.versions, content.binaries) == locks(content)


def test_content_reads_no_more_of_many_packages_than_of_few() -> None:
    whole = [package(f"package-{number:05}", "1", f"source-{number:05}") for number in range(3000)]
    made = Content(("amd64",)).with_version(whole)
    # As it is read from a suite: nothing of the text is read yet.
    indices = {
        name: type(index)(index.kind, tuple(type(part)(part.kind, part.piece) for part in index.parts))
        for name, index in made.indices.items()
    }
    content = Content(made.architectures, indices, made.versions, made.binaries)
    changed = content.with_version([package("package-01500", "2", "source-01500")]).without("source-00007", "1")
    assert ("source-01500", "2") in changed.versions
    assert ("source-00007", "1") not in changed.versions
    read = [len(part.stanzas) for index in indices.values() for part in index.parts if "stanzas" in vars(part)]
    assert len(read) == 2
