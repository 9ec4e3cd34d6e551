"""``qalab demo``: one at a time in a directory."""

from __future__ import annotations

import pytest

from cli import demo
from lab.base import environment, files
from lab.base.errors import InfrastructureError


@pytest.mark.usefixtures("tmp_path")
def test_second_demo_leaves_the_first_alone() -> None:
    home = environment.state_home() / "demo-hello"
    (home / "runs").mkdir(parents=True)
    with (
        files.locked(environment.cache_home() / "demo-hello.lock"),
        pytest.raises(InfrastructureError, match="another demo works in"),
    ):
        demo.run("hello")
    assert (home / "runs").exists()
