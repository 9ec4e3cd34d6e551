"""Pushes to real repositories: bare ones, one that moved, one that refuses."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lab.base.git import git
from scripts import push
from tests.packages import start, wait_for


@pytest.mark.parametrize(
    "listing, found",
    [
        ("", ""),
        ("aaa\trefs/heads/debian/main\n", "aaa"),
        ("bbb\trefs/heads/refs/heads/debian/main\naaa\trefs/heads/debian/main\n", "aaa"),
        ("bbb\trefs/heads/x/debian/main\n", ""),
    ],
)
def test_tip(listing, found):
    assert push.tip(listing, "debian/main") == found


@pytest.mark.parametrize(
    "said, reason",
    [
        ("remote: Checking.     \nremote: No entry for Sunday.     \n ! [remote rejected] abc -> main (pre-receive hook declined)\n",
         "No entry for Sunday. (pre-receive hook declined)"),
        ("To /x\n ! [remote rejected] abc -> main (branch is currently checked out)\nerror: failed to push\n",
         "(branch is currently checked out)"),
        ("fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.\n",
         "'/x' does not appear to be a git repository"),
        ("", "git did not say why"),
    ],
    ids=["hook", "checked-out", "absent", "silent"],
)  # fmt: skip
def test_refusal(said, reason):
    assert push.refusal(said.splitlines()) == reason


class Remote:
    """A bare packaging repository, its people's clone, and a run with a tested commit on top of it."""

    def __init__(self, tmp_path, git_repository, lab_factory, bench) -> None:
        self.path = tmp_path / "packaging.git"
        self.people = git_repository("people")
        self.start = self.people.commit("Start", {"debian/changelog": "1\n"})
        git(["clone", "--quiet", "--bare", self.people.path, self.path])
        git(["config", "core.logAllRefUpdates", "always"], cwd=self.path)
        self.people.git("remote", "add", "origin", self.path)
        where = {"git": str(self.path), "branch": "main"}
        self.bench = bench(lab_factory(component={"packaging": {"push": where}}))
        self.bench.pretend("archive")
        self.clone = self.bench.run.work / "packaging"
        git(["clone", "--quiet", self.path, self.clone])
        identity = {f"GIT_{role}_{key}": "lab@x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        git(["commit", "--quiet", "--allow-empty", "--message", "New snapshot"], cwd=self.clone, env=identity)
        self.tested = git(["rev-parse", "HEAD"], cwd=self.clone)

    def push(self):
        return self.bench.execute(push)

    def tip(self, branch: str = "main") -> str:
        return git(["rev-parse", branch], cwd=self.path)

    def hook(self, name: str, script: str) -> None:
        path = self.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def updates(self) -> list[str]:
        """The commits that the branch was moved to, by the repository's own log."""
        return [line.split()[1] for line in (self.path / "logs/refs/heads/main").read_text().splitlines()]


@pytest.fixture
def remote(tmp_path, git_repository, lab_factory, bench):
    return Remote(tmp_path, git_repository, lab_factory, bench)


def test_pushed_once(remote):
    record = remote.push()
    facts = {"url": str(remote.path), "branch": "main", "commit": remote.tested, "pushed": True}
    assert (record.verdict, record.facts) == ("passed", facts), remote.bench.log("push")
    assert remote.tip() == remote.tested
    again = remote.push()
    assert (again.verdict, again.facts) == ("passed", facts | {"pushed": False})
    assert remote.updates() == [remote.tested]


def test_a_new_branch_is_made(remote, lab_factory):
    where = {"git": str(remote.path), "branch": "lab/main"}
    remote.bench.lab = lab_factory(component={"packaging": {"push": where}})
    assert remote.push().facts["pushed"] is True
    assert (remote.tip("lab/main"), remote.tip("main")) == (remote.tested, remote.start)


def test_work_on_top_of_ours_is_left_alone(remote):
    remote.push()
    remote.people.git("pull", "--quiet", "origin", "main")
    newer = remote.people.commit("Go on")
    remote.people.git("push", "--quiet", "origin", "main")
    record = remote.push()
    assert (record.verdict, record.facts["pushed"]) == ("passed", False)
    assert remote.tip() == newer


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_branch_that_moved_is_reported(remote, when):
    moved = remote.people.commit("Meanwhile")
    if when == "before":
        remote.people.git("push", "--quiet", "origin", "main")
    else:  # between our asking and our pushing
        git(["push", "--quiet", "origin", "main:aside"], cwd=remote.people.path)
        remote.hook("pre-receive", f"env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {moved}")
    record = remote.push()
    assert (record.verdict, record.exit_code) == ("error", 3), remote.bench.log("push")
    assert f"main moved to {moved}, without {remote.tested}" in record.message
    assert "the next run merges it" in record.message
    assert remote.tip() == moved


def test_an_answer_that_was_lost(remote, tmp_path, monkeypatch):
    """The other side took the push, and git heard of a failure."""
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n{shutil.which("git")} "$@" || exit\ncase "$*" in *" push "*) exit 128; esac\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    record = remote.push()
    assert (record.verdict, record.facts["pushed"]) == ("passed", True)
    assert remote.tip() == remote.tested


def test_a_hook_that_refuses(remote):
    remote.hook("pre-receive", "echo Checking.; echo No entry for Sunday.; exit 1")
    record = remote.push()
    assert (record.verdict, record.exit_code) == ("error", 3)
    reason = "No entry for Sunday. (pre-receive hook declined)"
    assert record.message == f"{remote.path}: main cannot be pushed: {reason}"
    assert remote.tip() == remote.start


def test_an_unreachable_repository(remote, lab_factory):
    where = {"git": "/nowhere/at.git", "branch": "main"}
    remote.bench.lab = lab_factory(component={"packaging": {"push": where}})
    record = remote.push()
    assert (record.verdict, record.exit_code) == ("error", 3)
    reason = "'/nowhere/at.git' does not appear to be a git repository"
    assert record.message == f"/nowhere/at.git: cannot be asked what it has: {reason}"


def test_off_unless_configured(remote, lab_factory):
    remote.bench.lab = lab_factory()
    assert remote.push().verdict == "skipped"
    assert remote.tip() == remote.start


def test_what_the_archive_skipped_is_not_pushed(remote):
    path = remote.bench.run.record_path("archive")
    remote.bench.run.record("archive").model_copy(update={"verdict": "skipped"}).write(path)
    assert remote.push().verdict == "skipped"
    assert remote.tip() == remote.start


@pytest.mark.parametrize("hook", ["pre-receive", "update"])
def test_killed_in_the_middle(remote, tmp_path, hook):
    """kill -9 while the other side works: it ends its work, or does not; we come again, and it has it once."""
    remote.hook(hook, f"touch {tmp_path}/there; sleep 0.5")
    process = start(push, remote.bench)
    wait_for((tmp_path / "there").exists)
    process.kill()
    process.wait()
    record = remote.push()
    assert record.verdict == "passed", remote.bench.log("push")
    assert remote.tip() == remote.tested
    assert remote.updates() == [remote.tested]


def test_no_configuration_of_the_users_matters(remote):
    config = Path(os.environ["HOME"], ".gitconfig")
    config.write_text("[push]\n\tdefault = broken\n\tfollowTags = true\n[core]\n\thooksPath = /nowhere\n")
    assert remote.push().facts["pushed"] is True
