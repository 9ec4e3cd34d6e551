"""``qalab jenkins generate``."""

from __future__ import annotations

from collections.abc import Callable


def test_generate_check_reports_missing_files(call: Callable[..., tuple[int, str]]) -> None:
    code, said = call("generate", "--check")
    assert code == 1
    assert said.startswith("qalab: ")
    assert said.endswith(": differs from lab.yaml (run: qalab jenkins generate)\n")
    assert call("generate")[0] == 0
    assert call("generate", "--check")[0] == 0
