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


SECRET = """- job: {name: secret, parameters: [password: {name: P, default: open}], builders: [shell: 'true']}
- job: {name: plain}
"""


@pytest.mark.integration
def test_account_that_may_not_configure_sees_masks(
    call: Callable[..., tuple[int, str]], jenkins: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mask is neither an edit by hand nor something to save: a restore would store it in place of the secret."""
    Path("jobs/jobs.yaml").write_text(SECRET)
    call("apply", "--yes")
    jenkins.resave_all()
    assert "{AQAA" in jenkins.config("secret")
    assert call("backup", "saved")[0] == 0
    copy = Path("saved/jobs/secret/config.xml").read_bytes()
    monkeypatch.setenv("QALAB_JENKINS_USER", "reader")
    assert call("plan", "--check")[0] == 0
    assert call("drift", "--check") == (0, "nothing was edited by hand\n")
    code, said = call("backup", "saved")
    assert code == 2
    assert "✘ job secret: not saved, and an earlier copy stays: " in said
    assert "has ******** for a secret (Jenkins shows secrets to accounts with Job/Configure alone)" in said
    assert Path("saved/jobs/secret/config.xml").read_bytes() == copy
    code, said = call("backup", "new")
    assert (code, Path("new/jobs/plain/config.xml").exists(), Path("new/jobs/secret").exists()) == (2, True, False)


@pytest.mark.integration
@pytest.mark.parametrize("lab, code", [("other", 2), ("testlab", 0)])
def test_restore_of_a_copy_without_owner_spares_another_lab(
    call: Callable[..., tuple[int, str]], jenkins: Double, lab: str, code: int
) -> None:
    jenkins.create("plain", "<project><description>by hand</description></project>")
    call("backup", "saved")
    jenkins.delete("plain")
    Path("jobs/jobs.yaml").write_text("- job: {name: plain, builders: [shell: 'true']}\n")
    assert call("apply", "--yes", "--owner", lab)[0] == 0
    ended, said = call("restore", "saved", "--yes")
    assert (ended, "is the lab other's, and stays (the copy is of no lab's" in said) == (code, lab == "other"), said
    assert ("by hand" in jenkins.config("plain")) == (lab == "testlab")
