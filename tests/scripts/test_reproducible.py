"""The step reproducible: the environment of its second build."""

from __future__ import annotations

import pytest

from scripts.reproducible import varied


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
