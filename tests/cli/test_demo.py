"""``qalab demo``: what it does not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import demo
from lab.base import environment, files
from lab.base.errors import InfrastructureError
from scripts.demo.examples import DEMOS


@pytest.mark.parametrize("name", [*DEMOS])
def test_a_demo_leaves_another_one_alone(tmp_path: Path, name: str) -> None:
    result = environment.state_home() / f"demo-{name}" / "result"
    files.write_atomic(result, "half of a demo")
    assert result.is_relative_to(tmp_path)
    lock = environment.state_home() / f"demo-{name}.lock"
    away = pytest.raises(InfrastructureError, match=f"the demo {name} is under way in another process")
    with files.locked(lock), away:
        demo.run(name)
    assert result.exists()
