"""Interfaces: what a change of a library's packages means for those built with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.archives.package_content import BinaryContent
from scripts.ordering.interfaces import interface_changes, interface_of

LIBRARY = BinaryContent(
    "libgreet1", "1.0-1",
    files={"usr/lib/x86_64-linux-gnu/libgreet.so.1": 9, "usr/lib/x86_64-linux-gnu/libgreet.so.1.2.3": 100},
    shlibs=frozenset({"libgreet 1"}), symbols=frozenset({"libgreet.so.1 greet@Base"}),
    provides=frozenset({"greet-abi", "hail"}), provided_versions=frozenset({"greet-abi 3"}),
)  # fmt: skip
DEVELOPMENT = BinaryContent("libgreet-dev", "1.0-1", files={"usr/include/greet.h": 5})


@pytest.mark.parametrize(
    "now, changes",
    [
        ([LIBRARY, DEVELOPMENT], ""),
        ([replace(LIBRARY, version="1.1-1", files={**LIBRARY.files, "usr/share/doc/libgreet1/NEWS": 9}), DEVELOPMENT], ""),
        ([LIBRARY, replace(DEVELOPMENT, files={"usr/include/greet.h": 99})], ""),
        ([LIBRARY, DEVELOPMENT, BinaryContent("libgreet-doc", "1.1-1")], ""),
        ([replace(LIBRARY, files={"usr/lib/x86_64-linux-gnu/libgreet.so.1": 9, "usr/lib/x86_64-linux-gnu/libgreet.so.1.3.0": 9})], ""),
        ([replace(LIBRARY, files={**LIBRARY.files, "usr/lib/x86_64-linux-gnu/greet/libplugin.so.1": 9})], ""),
        ([replace(LIBRARY, symbols=frozenset())], "symbols gone: libgreet.so.1 greet@Base"),
        ([replace(LIBRARY, symbols=LIBRARY.symbols | {"libgreet.so.1 hail@Base"})], "symbols new: libgreet.so.1 hail@Base"),
        ([replace(LIBRARY, shlibs=frozenset({"libgreet 2"}))], "shlibs gone: libgreet 1; shlibs new: libgreet 2"),
        ([replace(LIBRARY, files={"usr/lib/libgreet.so.2": 9})], "sonames gone: libgreet.so.1; sonames new: libgreet.so.2"),
        ([replace(LIBRARY, name="libgreet2")], "packages gone: libgreet1; packages new: libgreet2"),
        ([replace(LIBRARY, provided_versions=frozenset({"greet-abi 4"}))],
         "provides gone: greet-abi 3; provides new: greet-abi 4"),
        ([replace(LIBRARY, provides=frozenset({"greet-abi"}))], "provides gone: hail"),
        ([DEVELOPMENT], (
            "packages gone: libgreet1; sonames gone: libgreet.so.1; shlibs gone: libgreet 1; "
            "symbols gone: libgreet.so.1 greet@Base; provides gone: greet-abi 3, hail")),
    ],
    ids=["same", "new-version", "header", "documentation", "minor", "plug-in", "symbol-gone", "symbol-new", "shlibs",
         "soname", "package-name", "versioned-provides", "provides", "all-gone"],
)  # fmt: skip
def test_interface_changes(now: list[BinaryContent], changes: str) -> None:
    assert interface_changes(interface_of([LIBRARY, DEVELOPMENT]), interface_of(now)) == changes


@pytest.mark.parametrize(
    "name", ["libgreet1", "libgreet-1.0-0", "libstdc++6", "libfoo2t64", "python3-numpy-abi9", "perlapi-5.36"]
)
def test_interface_has_abi_package(name: str) -> None:
    assert interface_of([BinaryContent(name)]).packages == {name}


@pytest.mark.parametrize("name", ["greet", "libgreet-dev", "libgreet-doc", "python3-greet", "greet2-data"])
def test_interface_ignores_other_package(name: str) -> None:
    assert interface_of([BinaryContent(name)]).packages == set()
