"""The causes of a build without a new commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.records import RunInputs
from scripts.ordering.inputs import cause_of, settings_digests, versions_changed
from scripts.ordering.series_packages import packages_of

LAST = RunInputs(
    settings={"build": "1", "series": "1"}, needs={"liba": "1", "libb": ""}, base="1", series={"zlib1g-dev": "1"}
)


@pytest.mark.parametrize(
    "changes, rebuilds, options, cause, reason",
    [
        ({}, {}, {}, "", ""),
        ({}, {}, {"failed": True}, "", ""),
        ({"settings": {"build": "2", "series": "1"}}, {}, {}, "settings", "changed in lab.yaml: build"),
        ({"settings": {"series": "1", "orig": "1"}}, {}, {}, "settings", "changed in lab.yaml: build, orig"),
        ({"settings": {}}, {}, {"settings": False}, "", ""),
        ({"settings": {}}, {}, {"settings": False, "failed": True}, "settings", "changed in lab.yaml: build, series"),
        ({"needs": {"liba": "2"}}, {}, {}, "", ""),
        ({"needs": {"liba": "2"}}, {"liba": "liba 1 -> 2 (shlibs)"}, {}, "dependency", "liba 1 -> 2 (shlibs)"),
        ({"needs": {"liba": "2"}}, {}, {"failed": True}, "dependency", "liba 1 -> 2"),
        ({"needs": {"liba": "2", "libb": "1"}}, {"liba": "A"}, {"failed": True}, "dependency", "A, libb (none) -> 1"),
        ({"needs": {"liba": "", "new": "1"}}, {}, {"failed": True}, "", ""),
        ({"base": "2"}, {}, {}, "base", "the packages of the base chroot have changed"),
        ({"base": ""}, {}, {"failed": True}, "", ""),
        ({"series": {"zlib1g-dev": "2", "new": "1"}}, {}, {}, "dependency", "zlib1g-dev 1 -> 2"),
        ({"series": {}}, {}, {}, "", ""),
    ],
    ids=["nothing", "failed-nothing", "settings", "groups", "settings-off", "failed-settings", "same-interface",
         "interface", "failed-need", "several-needs", "need-gone-or-new", "base", "base-unknown", "series", "series-unknown"],
)  # fmt: skip
def test_cause(
    changes: Mapping[str, Any], rebuilds: Mapping[str, str], options: Mapping[str, bool], cause: str, reason: str
) -> None:
    now = LAST.model_copy(update=dict(changes))
    assert cause_of(LAST, now, rebuilds, **options) == (cause, reason)


def test_versions_changed_names_new_package_of_lab() -> None:
    assert versions_changed({"a": "", "b": "1", "c": "1"}, {"a": "1", "b": "1", "d": "1"}) == {"a": "a (none) -> 1"}


@pytest.mark.parametrize(
    "component, groups",
    [
        ({}, set()),
        ({"build": {"profiles": ["nodoc"]}}, {"build"}),
        ({"build": {"options": ["nocheck"], "ccache": True}, "version": {"next": "2.0"}}, {"build", "version"}),
        ({"packaging": {"branch": "next"}}, {"packaging"}),
        ({"packaging": {"push": {"git": "/nowhere/push", "branch": "x"}}}, set()),
        ({"build": {"rebuild_on": ["base"], "rebuild_dependents": "never"}}, set()),
        ({"upload": {"to": "ppa:team/name"}}, set()),
    ],
    ids=["nothing", "profiles", "options", "branch", "push", "rebuilds", "upload"],
)
def test_settings_digests_differ_by_group(
    lab_factory: Callable[..., Lab], component: dict[str, Any], groups: set[str]
) -> None:
    before, now = (settings_digests(lab_factory(component=each), "trunk", "greet") for each in ({}, component))
    assert {key for key in before | now if before.get(key) != now.get(key)} == groups


def test_series_packages_have_newest_versions_and_providers() -> None:
    release = (
        "Package: libc6\nEssential: yes\nVersion: 2.9\n\nPackage: make\nBuild-Essential: yes\nVersion: 4\n\n"
        "Package: debhelper\nVersion: 13\nProvides: debhelper-compat (= 12), debhelper-compat (= 13), dh-sequence-x\n"
    )
    found = packages_of([release, "Package: libc6\nEssential: yes\nVersion: 2.10\n"])
    assert found.versions == {
        "libc6": "2.10", "make": "4", "debhelper": "13", "debhelper-compat": "debhelper 13", "dh-sequence-x": "debhelper 13",
    }  # fmt: skip
    assert found.base not in {"", packages_of([release]).base}
    assert packages_of([]).base == ""
