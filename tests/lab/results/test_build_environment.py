"""Other changes between two builds; an unknown environment is never "no change"."""

from __future__ import annotations

from typing import Any

import pytest

from lab.results.build_environment import BuildEnvironment, changes

COMMIT, OTHER = "a" * 40, "b" * 40


def environment(**fields: Any) -> BuildEnvironment:
    known: dict[str, Any] = {
        "packages": {"gcc-12": "12.2.0-14", "libc6": "2.36-9"},
        "packaging": COMMIT,
        "packaging_content": "c1",
        "base": "base1",
        "lab_commit": COMMIT,
    }
    return BuildEnvironment(**known | fields)


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({}, {}, []),
        ({}, {"packages": {"gcc-12": "12.2.0-15", "libc6": "2.36-9"}}, ["gcc-12 12.2.0-14 -> 12.2.0-15"]),
        ({}, {"packages": {"libc6": "2.36-9"}}, ["gcc-12 12.2.0-14 (gone)"]),
        ({"packages": {"libc6": "2.36-9"}}, {}, ["gcc-12 12.2.0-14 (new)"]),
        ({}, {"packaging": OTHER, "packaging_content": "c2"}, ["packaging aaaaaaa -> bbbbbbb"]),
        ({}, {"packaging": OTHER}, []),  # only the changelog is another one
        ({"packaging_content": ""}, {"packaging": OTHER}, ["packaging aaaaaaa -> bbbbbbb"]),  # of an older release
        ({}, {"packaging": "", "packaging_content": ""}, ["packaging aaaaaaa -> none"]),
        ({}, {"lab_commit": OTHER}, ["lab.yaml aaaaaaa -> bbbbbbb"]),
        ({}, {"lab_commit": f"{COMMIT}-dirty"}, ["lab.yaml aaaaaaa -> aaaaaaa-dirty"]),
        ({"lab_commit": ""}, {}, ["lab.yaml none -> aaaaaaa"]),
        ({}, {"base": "base2"}, ["base chroot base1 -> base2"]),
        # It failed before it had a chroot: the packages of none can be the cause.
        ({}, {"packages": None, "base": ""}, []),
        # It failed before the packages were listed, or the earlier one did not list them.
        ({}, {"packages": {}}, ["packages in the chroot: not recorded"]),
        ({"packages": {}}, {}, ["packages in the chroot: not recorded"]),
        ({"packages": None}, {}, ["packages in the chroot: not recorded"]),
        (
            {},
            {"packages": {"gcc-12": "13", "libc6": "2.37"}, "packaging": OTHER, "packaging_content": "c2"},
            ["packaging aaaaaaa -> bbbbbbb", "gcc-12 12.2.0-14 -> 13", "libc6 2.36-9 -> 2.37"],
        ),
    ],
)
def test_environment_changes(before: dict[str, Any], after: dict[str, Any], expected: list[str]) -> None:
    assert [str(change) for change in changes(environment(**before), environment(**after))] == expected


@pytest.mark.parametrize("before, after", [(None, environment()), (environment(), None), (None, None)])
def test_environment_unknown_is_a_change(before: BuildEnvironment | None, after: BuildEnvironment | None) -> None:
    assert [str(change) for change in changes(before, after)] == ["environment: not recorded"]
