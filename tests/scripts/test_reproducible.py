"""The step reproducible: the environment of its second build."""

from __future__ import annotations

import pytest

from scripts.reproducible import changed_part, varied


@pytest.mark.parametrize(
    ("options", "again"),
    [
        ([], "parallel=1"),
        (["nocheck", "nodoc"], "nocheck nodoc parallel=1"),
        (["parallel=4", "noopt"], "noopt parallel=1"),
    ],
    ids=["none", "kept", "parallel"],
)
def test_second_build_keeps_options_that_select_content(options: list[str], again: str) -> None:
    assert varied(options)["DEB_BUILD_OPTIONS"] == again


CHECKSUMS = [
    "├── control.tar.xz",
    "│ ├── control.tar",
    "│ │ ├── ./md5sums",
    "│ │ │ ├── ./md5sums",
    "│ │ │ │┄ Files differ",
]
DATA = ["├── data.tar.xz", "│ ├── data.tar"]


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (
            [*CHECKSUMS, *DATA, "│ │ ├── ./usr/share/greet/greet.txt", "│ │ │ -/build/greet"],
            "./usr/share/greet/greet.txt",
        ),
        (["├── control.tar.xz", "│ ├── control.tar", "│ │ ├── ./control", "│ │ │ -Depends: a"], "./control"),
        ([*DATA, "│ │ ├── file list"], "data.tar"),
        (CHECKSUMS, "control.tar"),
        ([], "its content"),
    ],
    ids=["a file", "control", "metadata", "checksums", "nothing"],
)
def test_part_of_a_package_that_differs(lines: list[str], part: str) -> None:
    assert changed_part(lines) == part
