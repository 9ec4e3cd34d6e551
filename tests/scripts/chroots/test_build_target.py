"""The architectures that a source package is built for, by its field Architecture and the series."""

from __future__ import annotations

import pytest

from lab.config.components import BuildSettings
from lab.config.description import Series
from scripts.chroots.build_target import BuildTarget, build_targets, not_built

SERIES = Series(architectures=("arm64", "amd64", "s390x"))


@pytest.mark.parametrize(
    "field, expected",
    [
        ("any", ["amd64", "arm64", "s390x"]),
        ("all", ["amd64"]),
        ("any all", ["amd64", "arm64", "s390x"]),
        ("all arm64", ["amd64", "arm64"]),
        ("arm64 s390x", ["arm64", "s390x"]),
        ("any-arm64 linux-s390x", ["arm64", "s390x"]),
        ("riscv64 hurd-any", []),
    ],
)
def test_targets_follow_the_field_architecture(field: str, expected: list[str]) -> None:
    found = build_targets(SERIES, BuildSettings(), field, "amd64")
    assert [target.architecture for target in found] == expected
    assert [target.cross for target in found] == [name != "amd64" for name in expected]


def test_targets_without_cross_builds() -> None:
    build = BuildSettings(cross=False)
    assert [target.architecture for target in build_targets(SERIES, build, "any", "amd64")] == ["amd64"]
    assert build_targets(SERIES, build, "arm64", "amd64") == []
    assert not_built(SERIES, build, "amd64") == ["arm64", "s390x"]
    assert not_built(SERIES, BuildSettings(), "amd64") == []


def test_cross_build_settings() -> None:
    build = BuildSettings(profiles=("nodoc", "nocheck"), options=("parallel=2",))
    native, cross = BuildTarget("amd64", "amd64"), BuildTarget("arm64", "amd64")
    assert (native.settings(build), native.toolchain, native.host) == (build, (), "")
    assert cross.settings(build).profiles == ("nodoc", "nocheck", "cross")
    assert cross.settings(build).options == ("parallel=2", "nocheck")
    assert (cross.toolchain, cross.host) == (
        ("crossbuild-essential-arm64:native", "libc-dev", "libstdc++-dev"),
        "arm64",
    )
