"""``qalab publish`` and ``qalab retract`` of a lab's own runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import qalab


@pytest.mark.integration
def test_publish_status_and_retract(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    lab = small_lab(
        component={"packaging": {"branch": "gone"}},
        lab={"public": {"site_url": "https://qa.lab.example/"}, "publish": {"jobs": ["*"]}},
    )
    assert qalab("run", "trunk", "greet", "--lab", lab).returncode == 2
    done = qalab("publish", "--lab", lab)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    status = json.loads(qalab("publish", "--status", "--json", "--lab", lab).stdout)
    assert status["builds"] == {"bundled": 1}
    pages = tmp_path / "state/qalab/testlab/site/current/b"
    (page,) = pages.glob("*/*")
    build = page.name
    dry = qalab("retract", build, "--dry-run", "--lab", lab)
    assert (dry.returncode, "would be retracted" in dry.stdout) == (0, True), dry.stdout + dry.stderr
    refused = qalab("retract", build, "--lab", lab)
    assert (refused.returncode, "nobody can confirm it" in refused.stderr) == (2, True)
    assert page.exists()
    assert qalab("retract", build, "--yes", "--lab", lab).returncode == 0
    assert not page.exists()
