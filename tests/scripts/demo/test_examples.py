"""The demos, as far as they are true without a build."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from lab.base import resources
from scripts.demo.examples import QALAB


@pytest.mark.integration
def test_qalab_prints_in_a_new_lab_what_its_demo_expects(tmp_path: Path) -> None:
    (tmp_path / "qalab").symlink_to(resources.path("qalab"))
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    done = subprocess.run(QALAB.command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(QALAB.always_prints, done.stdout.removesuffix("\n"), re.DOTALL), done.stdout
