"""Which source packages a change can break, and in which order they are tested."""

from __future__ import annotations

import pytest

from scripts.testing.reverse_dependencies import SuiteIndices, reverse_dependencies

PACKAGES = """Package: user
Version: 1
Depends: libc6, libtoy1 (>= 1)

Package: pinned
Source: strict (2)
Version: 2+b1
Depends: libtoy1 (<< 2~) | other

Package: old
Version: 1
Depends: libtoy1

Package: old
Version: 2
Depends: libtoy2

Package: near
Version: 1
Depends: libtoy1-extra, libtoy10

Package: hint
Version: 1
Recommends: toy-api

Package: untested
Version: 1
Depends: libtoy1

Package: toy-tools
Source: toy
Version: 1
Depends: libtoy1
"""
NAMES = ("user", "strict", "old", "near", "hint", "toy")
SOURCES = "\n".join(f"Package: {name}\nVersion: 1\nTestsuite: autopkgtest\n" for name in NAMES) + (
    "\nPackage: untested\nVersion: 1\n\nPackage: trigger\nVersion: 1\nTestsuite: autopkgtest\n"
    "Testsuite-Triggers: curl, libtoy1, python3\n"
)
OURS = SuiteIndices(
    ["Package: ours\nVersion: 1\nDepends: libtoy1\n"],
    ["Package: ours\nVersion: 1\nTestsuite: autopkgtest\n"],
    ours=True,
)
CHANGED = frozenset({"libtoy1", "toy-api"})


def test_reverse_dependencies_are_ordered_by_closeness() -> None:
    found = reverse_dependencies(CHANGED, "toy", [OURS, SuiteIndices([PACKAGES], [SOURCES])], "amd64")
    assert {each.source: each.reasons for each in found} == {
        "ours": ("ours depends on libtoy1",),
        "strict": ("pinned depends on libtoy1 (<< 2~)",),
        "hint": ("hint recommends toy-api",),
        "user": ("user depends on libtoy1 (>= 1)",),
        "trigger": ("its tests use libtoy1",),
    }
    assert [each.source for each in found] == ["ours", "strict", "hint", "user", "trigger"]


@pytest.mark.parametrize("changed", [frozenset(), frozenset({"nothing"}), frozenset({"libtoy"})])
def test_no_reverse_dependencies(changed: frozenset[str]) -> None:
    found = reverse_dependencies(changed, "toy", [SuiteIndices([PACKAGES], [SOURCES])], "amd64") if changed else []
    assert found == []
