"""What a build is compared with, as indices list it; downloads are shown in tests/integration."""

from __future__ import annotations

import pytest

from scripts.archives.series_index import built_from, newest_build

INDEX = """\
Package: greet
Version: 1.0-1
Source: greet

Package: greet
Version: 1.0-2+b1
Source: greet (1.0-2)

Package: greet-data
Source: greet
Version: 1.0-1

Package: libgreet
Source: greet
Version: 1.0-2

Package: greet-dbgsym
Source: greet
Version: 1.0-2

Package: greet-tools
Version: 1.0-2

Package: hail
Source: greet-extra
Version: 9

Package: greeter
Source: other
Version: 1
"""


@pytest.mark.parametrize(
    "source, all_of_it, newest",
    [
        ("greet", ["greet", "greet", "greet-data", "libgreet"], ["greet 1.0-2+b1", "libgreet 1.0-2"]),
        ("greet-tools", ["greet-tools"], ["greet-tools 1.0-2"]),
        ("greet-extra", ["hail"], ["hail 9"]),
        ("gre.t", [], []),
        ("greeter", [], []),
        ("libgreet", [], []),
    ],
)
def test_reference_packages_built_from_source(source: str, all_of_it: list[str], newest: list[str]) -> None:
    found = built_from(INDEX, source)
    assert [item["Package"] for item in found] == all_of_it
    assert [f"{item['Package']} {item['Version']}" for item in newest_build(found)] == newest
