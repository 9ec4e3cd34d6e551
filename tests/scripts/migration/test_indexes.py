"""Reading directories of Packages and Sources files."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from scripts.migration import dates, indexes

GREET = (
    "Package: greet\nSource: hello (2)\nVersion: 2+b1\nArchitecture: amd64\nDepends: libc6,\n libgreet\nSection: libs\n"
)
DOC = "Package: greet-doc\nSource: hello\nVersion: 2\nArchitecture: all\n"
SOURCE = "Package: hello\nBinary: greet, greet-doc\nVersion: 2\n"


@pytest.mark.parametrize(
    "packages, sources",
    [
        ("Packages", "Sources"),
        ("Packages_amd64", "Sources"),
        ("main/binary-amd64/Packages.xz", "main/source/Sources.gz"),
        ("dists/trunk/main/binary-amd64/Packages.gz", "dists/trunk/main/source/Sources.xz"),
    ],
)
def test_the_layouts(tmp_path: Path, packages: str, sources: str) -> None:
    for name, text in ((packages, f"{GREET}\n{DOC}"), (sources, SOURCE)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pack = {".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
        path.write_bytes(pack(text.encode()))
    suite = indexes.read([tmp_path])
    assert suite.sources == {"hello": indexes.SourceStanza("2", ("greet", "greet-doc"))}
    greet = suite.binaries["amd64"]["greet"]
    assert (greet.source, greet.source_version, greet.relations["Depends"]) == ("hello", "2", "libc6, libgreet")
    assert greet.library
    assert set(suite.binaries["amd64"]) == {"greet", "greet-doc"}


def test_a_file_in_several_compressions_counts_once_and_the_newest_version_counts(tmp_path: Path) -> None:
    (tmp_path / "Packages").write_text(f"{DOC}\n{DOC.replace('Version: 2', 'Version: 10')}\n{GREET}")
    (tmp_path / "Packages.xz").write_bytes(b"not read")
    suite = indexes.read([tmp_path])
    assert suite.binaries["amd64"]["greet-doc"].version == "10"
    assert suite.sources["hello"].version == "10"  # without Sources: the newest that binaries name


def test_two_architectures_share_what_is_for_all(tmp_path: Path) -> None:
    (tmp_path / "Packages").write_text(f"{DOC}\n{GREET}\n{GREET.replace('amd64', 'arm64')}")
    binaries = indexes.read([tmp_path]).binaries
    assert {arch: sorted(names) for arch, names in binaries.items()} == {
        "amd64": ["greet", "greet-doc"],
        "arm64": ["greet", "greet-doc"],
    }


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("Sources", SOURCE.encode(), "there is no Packages file"),
        ("Packages", b"<html>404</html>\n", "not an index of packages: <html>404</html>"),
        ("Packages", b"Package: greet\n", "paragraph 1 has no field Version"),
        ("Packages.xz", b"junk", "cannot be read"),
        ("Packages.gz", gzip.compress(GREET.encode(), mtime=0)[:40], "cannot be read"),
    ],
)
def test_what_is_no_index_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        indexes.read([tmp_path])


def test_an_empty_index_is_an_empty_suite(tmp_path: Path) -> None:
    (tmp_path / "Packages_amd64").touch()
    assert indexes.read([tmp_path]).binaries == {"amd64": {}}


def test_dates(tmp_path: Path) -> None:
    path = tmp_path / "dates"
    path.write_text("# since when\nhello 2 2024-02-27\n")
    assert dates.ages(path, dates.date(2024, 3, 1)) == {("hello", "2"): 3.0}
    path.write_text("hello 2 yesterday\n")
    with pytest.raises(ConfigurationError, match=r"dates:1: not SOURCE VERSION YYYY-MM-DD: hello 2 yesterday"):
        dates.ages(path)
