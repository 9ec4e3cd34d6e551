"""``qalab jenkins apply``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.git import git
from lab.config.pace import Pace
from tests.clocks import Moved
from tests.generator.conftest import JOBS
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER
from tests.processes import HOUSE, wait_for


def write(text: str, name: str = "jobs/jobs.yaml") -> None:
    Path(name).write_text(text)


@pytest.mark.integration
def test_apply_creates_all_jobs_once(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    code, said = call("plan", "--check")
    assert code == 1
    assert "+ job folder/build" in said
    assert f"{jenkins.url}: 6 to create, 0 as described" in said
    code, said = call("apply", "--yes")
    assert (code, said.splitlines()[-1]) == (0, "6 created")
    assert call("plan", "--check")[0] == 0
    code, said = call("apply")  # nothing to do: no confirmation needed
    assert (code, said) == (0, f"{jenkins.url}: 6 as described\n")
    jenkins.edit("folder/build", "make two", "make three")
    code, said = call("drift", "--check")
    assert code == 1
    assert said.startswith("! job folder/build: edited by hand\n")
    assert said.count("edited by hand") == 1
    assert "make three" in said
    told = json.loads(call("drift", "--json")[1])
    assert [step["name"] for step in told] == ["folder/build"]
    code, said = call("apply", "--yes")
    assert "! job folder/build (edited by hand)" in said
    assert "1 put back as described" in said
    assert "the previous configuration is kept in" in said
    assert call("drift") == (0, "nothing was edited by hand\n")


LOST: dict[str, tuple[Callable[[Double], object], str]] = {
    "deleted": (lambda jenkins: jenkins.delete("plain"), "+ job plain: does not exist: it was deleted by hand, or"),
    "made again by hand": (
        lambda jenkins: (jenkins.delete("plain"), jenkins.create("plain", "<project/>")),
        "? job plain: exists, and this lab does not manage it",
    ),
    "without its mark": (
        lambda jenkins: jenkins.edit("plain", "Managed by qalab", "Managed by me"),
        "? job plain: exists, and this lab does not manage it",
    ),
    "all of them": (lambda jenkins: jenkins.wipe(), "+ job folder: does not exist: it was deleted by hand, or"),
}


@pytest.mark.integration
@pytest.mark.parametrize("what", LOST)
def test_drift_names_what_is_gone(call: Callable[..., tuple[int, str]], jenkins: Double, what: str) -> None:
    """A check every night that finds nothing to compare must not be content."""
    assert call("apply", "--yes")[0] == 0
    change, expected = LOST[what]
    change(jenkins)
    code, said = call("drift", "--check")
    assert code == 1
    assert said.startswith(expected)
    assert "nothing was edited by hand" not in said
    assert "plain" in {step["name"] for step in json.loads(call("drift", "--json")[1])}
    assert call("drift")[0] == 0


def test_apply_without_terminal_needs_yes(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    code, said = call("apply")
    assert code == 2
    assert "--yes" in said.splitlines()[-1]
    assert jenkins.writes() == []


@pytest.mark.integration
def test_apply_keeps_overwritten_configuration(
    call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path
) -> None:
    kept = tmp_path / "state/qalab/testlab/jenkins"
    kept.mkdir(parents=True, mode=0o755)  # as an older release made it
    call("apply", "--yes")
    jenkins.edit("plain", "H 3 * * *", "H 4 * * *")
    edited = jenkins.config("plain")
    call("apply", "--yes")
    assert (kept / "jobs/plain/config.xml").read_text() == edited
    assert (kept / "jobs/plain/config.xml").stat().st_mode & 0o777 == 0o600
    assert kept.stat().st_mode & 0o777 == 0o700
    assert git(["rev-list", "--count", "HEAD"], cwd=kept) == "1"
    code, said = call("restore", str(kept), "plain", "--yes")
    assert (code, "1 put back" in said) == (0, True)
    assert "H 4 * * *" in jenkins.config("plain")


@pytest.mark.integration
@pytest.mark.parametrize("writes", [1, 2, 3])
def test_apply_after_kill_completes(
    call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path, writes: int
) -> None:
    call("apply", "--yes")
    write(
        JOBS.replace("make one", "make 1").replace("'true'", "'false'").replace("'.*'", "'b.*'").replace("H 3", "H 4")
    )
    before = len(jenkins.writes())
    last = jenkins.fault("silence", method="POST", at=writes + 1, times=FOREVER)  # one that is never answered
    argv = [sys.executable, HOUSE / "qalab.py", "jenkins", "apply", "--yes", "--workers", "1"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        asked = wait_for(lambda: last.seen > writes)
        process.kill()
    assert asked
    assert len(jenkins.writes()) == before + writes
    jenkins.heal()
    (tmp_path / "state/qalab/testlab/jenkins/.git/index.lock").touch()  # at whatever git was
    code, said = call("apply", "--yes")
    assert code == 0, said
    assert call("plan", "--check")[0] == 0
    assert len(jenkins.writes()) == before + 4  # each once, and not one more
    kept = git(["log", "--format=", "--name-only"], cwd=tmp_path / "state/qalab/testlab/jenkins").split("\n")
    assert sorted(kept) == ["jobs/folder/jobs/build/config.xml", "jobs/plain/config.xml",
                            "jobs/with a blank/config.xml", "views/lab.xml"]  # fmt: skip


def test_apply_saved_plan(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    code, said = call("plan", "-o", "plan.json")
    assert code == 0
    jenkins.create("by-hand", "<project/>")
    assert call("apply", "plan.json", "--yes")[0] == 0  # changes of others do not matter
    write(JOBS.replace("make one", "make 1"))
    call("plan", "-o", "plan.json")
    jenkins.edit("folder/build", "make one", "make 7")
    before = len(jenkins.writes())
    code, said = call("apply", "plan.json", "--yes")
    assert code == 3
    assert said == "qalab: job folder/build: was changed since the plan was made (make a new plan)\n"
    assert len(jenkins.writes()) == before
    write("{}", "plan.json")
    code, said = call("apply", "plan.json", "--yes")
    assert (code, said.count("\n")) == (2, 1)


def test_rate_of_writes(call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    time = Moved()
    monkeypatch.setattr("lab.config.jenkins.Pace", lambda rate, _: Pace(rate, time.clock))
    assert call("apply", "--yes", "--workers", "1", "--writes-per-second", "10")[0] == 0
    assert time.now == pytest.approx(0.5)  # six items
    Path("lab.yaml").write_text(Path("lab.yaml").read_text().replace("jenkins:", "jenkins:\n  writes_per_second: 5"))
    write(JOBS.replace("make one", "make 1").replace("H 3", "H 4"))
    assert call("apply", "--yes", "--workers", "1")[0] == 0
    assert time.now == pytest.approx(0.7)


@pytest.mark.parametrize("option", [("plain",), ("--rename", "plain=plainer"), ("--replace", "plain")])
def test_apply_takes_a_saved_plan_as_a_whole(
    call: Callable[..., tuple[int, str]], jenkins: Double, option: tuple[str, ...]
) -> None:
    call("plan", "-o", "plan.json")
    code, said = call("apply", "plan.json", *option, "--yes")
    assert (code, "A saved plan is applied as a whole" in said) == (2, True), said
    assert jenkins.writes() == []


TAKEN: dict[str, tuple[str, str, str]] = {
    "by another lab": ("lab=testlab", "lab=other", "is the lab other's since the plan was made"),
    "by a person": ("Managed by qalab", "Managed by me", "was changed since the plan was made"),
    "by a person, without a trace": ("", "", "is no lab's since the plan was made"),
}


@pytest.mark.integration
@pytest.mark.parametrize("verb", ["apply", "apply plan.json", "prune"])
@pytest.mark.parametrize("how", TAKEN)
def test_item_that_is_taken_meanwhile_stays(
    call: Callable[..., tuple[int, str]], jenkins: Double, how: str, verb: str
) -> None:
    """Its content is that of the plan, but it is not the lab's any more."""
    old, new, expected = TAKEN[how]
    call("apply", "--yes")

    def take() -> None:
        mark = jenkins.config("plain").partition("<description>")[2].partition("</description>")[0]
        jenkins.edit("plain", old or mark, new)

    change = ("- job: {name: plain", "#") if verb == "prune" else ("H 3", "H 4")
    write(JOBS.replace(*change))
    call("plan", "-o", "plan.json")
    if verb == "apply plan.json":
        take()
    else:
        jenkins.fault("meanwhile", method="GET", path="job/plain/config.xml", at=2, action=take)
    before = len(jenkins.writes())
    code, said = call(*verb.split(), "--yes")
    assert (code, expected in said, len(jenkins.writes())) == (3, True, before), said
    assert "H 3" in jenkins.config("plain")
