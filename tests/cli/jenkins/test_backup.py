"""``qalab jenkins backup`` and ``restore``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER


@pytest.mark.integration
def test_backup_and_restore(call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path) -> None:
    call("apply", "--yes")
    code, said = call("backup", "saved")
    assert (code, said.startswith("saved: 6 items, 6 changed, 0 removed; commit ")) == (0, True)
    assert call("backup", "saved")[1].endswith("nothing new\n")
    state = tmp_path / "state/qalab/testlab/jenkins-backup"
    assert call("backup")[1].startswith(f"{state}: 6 items, 6 changed, 0 removed; commit ")
    before = {name: jenkins.config(name) for name in jenkins.jobs()}
    jenkins.wipe()
    assert call("restore", "saved")[0] == 2  # no terminal for a confirmation
    code, said = call("restore", "saved", "--yes")
    assert (code, "6 created" in said) == (0, True)
    assert {name: jenkins.config(name) for name in jenkins.jobs()} == before


@pytest.mark.integration
def test_backup_tells_what_it_could_not_save(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    call("apply", "--yes")
    jenkins.fault(403, method="GET", path="job/plain/config.xml", times=FOREVER)
    code, said = call("backup", "saved")
    assert (code, said.startswith("saved: 5 items, 5 changed, 0 removed; commit ")) == (2, True)
    assert "✘ job plain: not saved, and an earlier copy stays: " in said
