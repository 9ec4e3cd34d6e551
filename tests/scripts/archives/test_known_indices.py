"""What is known of indices without a chroot, as a real apt reads them from a mirror that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab, Series
from lab.store.runs import Store
from scripts.archives.known_indices import offered, releases
from tests.source_mirror import SourceMirror


def ask(tmp_path: Path) -> dict[str, str]:
    with (tmp_path / "log").open("a") as log:
        return releases("bookworm", Series(), log)


@pytest.mark.integration
def test_releases_change_with_each_index(source_mirror: SourceMirror, tmp_path: Path) -> None:
    first = ask(tmp_path)
    assert [name.rpartition("_")[2] for name in first] == ["InRelease"]
    assert ask(tmp_path) == first
    source_mirror.add("greet", "1.0-1")
    second = ask(tmp_path)
    assert (second.keys(), second == first) == (first.keys(), False)


def test_releases_are_unknown_where_apt_refuses_the_mirror(source_mirror: SourceMirror, tmp_path: Path) -> None:
    release = next(source_mirror.root.rglob("InRelease"))
    release.write_text(release.read_text().replace("Suite", "Sweet", 1))
    assert ask(tmp_path) == {}
    source_mirror.root.rename(tmp_path / "away")
    assert ask(tmp_path) == {}


PACKAGES: dict[str, tuple[str, frozenset[str] | None]] = {
    "no archive": ("", frozenset()),
    "one package": ("Package: a\nProvides-Not: x\n", frozenset({"a"})),
    "provided names": (
        "Package: a\nProvides: b, c (= 1.2+x), d-e\n\nPackage: f.g+\nProvides:\n h,\n i (= 2)\nDepends: z\n",
        frozenset({"a", "b", "c", "d-e", "f.g+", "h", "i"}),
    ),
    "a package that apt installs though nothing needs it": ("Package: a\nEssential: yes\n", None),
    "a protected one": ("Package: a\nProtected: yes\n\nPackage: b\n", None),
    "an important one of apt's": ("Package: a\nImportant: yes\n", None),
}


@pytest.mark.parametrize("what", PACKAGES)
def test_names_that_the_lab_archive_offers(lab_factory: Callable[..., Lab], what: str) -> None:
    text, expected = PACKAGES[what]
    lab = lab_factory()
    index = Store.of(lab).archive / "dists/trunk/main/binary-amd64/Packages"
    index.parent.mkdir(parents=True)
    index.write_text(text)
    assert offered(lab, "trunk") == expected
    index.with_name("Packages.gz").write_bytes(b"\x1f\x8bdamaged")
    assert offered(lab, "trunk") is None
