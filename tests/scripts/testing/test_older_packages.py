"""The packages that users can upgrade from, by the names of binary packages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scripts.archives import series_index
from scripts.testing.older_packages import newer, none_older, older

OURS = [{"Package": "greet", "Version": "1:2.0"}, {"Package": "libgreet2", "Version": "2.0"}]


@pytest.mark.parametrize(
    ("texts", "versions"),
    [
        (["Package: greet\nVersion: 2.0\n"], {"greet": "2.0"}),
        (["Package: greet\nSource: hello\nVersion: 1:1.9\n"], {"greet": "1:1.9"}),
        (["Package: greet\nVersion: 1:2.0~rc1\n"], {"greet": "1:2.0~rc1"}),
        (["Package: greet\nVersion: 1:2.0\n"], {}),
        (["Package: greet\nVersion: 1:2.1\n"], {}),
        (["Package: libgreet1\nVersion: 1.0\n\nPackage: greet-doc\nVersion: 1.0\n"], {}),
        (["Package: greet\nVersion: 1:1.1\n", "Package: greet\nVersion: 1:1.2\n"], {"greet": "1:1.2"}),
        (["Package: greet\nVersion: 1:1.1\n", "Package: greet\nVersion: 1:2.1\n"], {}),
        ([], {}),
    ],
    ids=[
        "epoch", "another source", "tilde", "the same", "newer", "other names", "newest of two pockets",
        "newer in one of two pockets", "nothing",
    ],
)  # fmt: skip
def test_older_packages_of_the_same_name(texts: list[str], versions: dict[str, str]) -> None:
    assert {name: item["Version"] for name, item in older(texts, OURS).items()} == versions


@pytest.mark.parametrize(
    ("texts", "ahead"),
    [
        (["Package: greet\nVersion: 1:2.1\n"], ["greet 1:2.1"]),
        (["Package: greet\nVersion: 1:1.1\n", "Package: greet\nVersion: 1:2.1\n"], ["greet 1:2.1"]),
        (["Package: greet\nVersion: 1:2.0\n\nPackage: libgreet2\nVersion: 1.9\n"], []),
        (["Package: greet-doc\nVersion: 9\n"], []),
    ],
    ids=["newer", "in one of two pockets", "same and older", "another"],
)
def test_newer_packages_of_the_same_name(texts: list[str], ahead: list[str]) -> None:
    assert newer(texts, OURS) == ahead


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Package: greet-old\nSource: greet\nVersion: 1.0\n", "trunk-tested has no older version of greet, libgreet2"),
        ("Package: greet\nVersion: 1:2.1\n", "bookworm has greet 1:2.1, which is newer"),
    ],
    ids=["renamed", "ahead"],
)
def test_nothing_to_upgrade_from(monkeypatch: pytest.MonkeyPatch, text: str, why: str) -> None:
    monkeypatch.setattr(series_index, "packages_files", lambda *_: [text])
    context: Any = SimpleNamespace(series_name="bookworm", series=None, log=None, component_name="greet")
    found: Any = SimpleNamespace(packages=lambda _: OURS, series="bookworm", baseline_name="trunk-tested")
    assert none_older(context, found) == why
