"""Pushes to real repositories: bare ones, one that moved, one that refuses."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lab.base.git import git, identity
from scripts import changelog, packaging, push, snapshot
from tests.conftest import packaging_files
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
def test_tip_of_remote_branch(listing, found):
    assert push.tip(listing, "debian/main") == found


@pytest.mark.parametrize(
    "output, reason",
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
def test_refusal_line_of_git_push(output, reason):
    assert push.refusal(output.splitlines()) == reason


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
        self.labs, self.benches = lab_factory, bench
        self.bench = bench(lab_factory(packaging=self.path, component={"packaging": {"push": where}}))
        self.bench.pretend("archive")
        self.bench.pretend("packaging", facts={"branch": "main"})
        self.clone = self.bench.run.work / "packaging"
        git(["clone", "--quiet", self.path, self.clone])
        identity = {f"GIT_{role}_{key}": "lab@x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        git(["commit", "--quiet", "--allow-empty", "--message", "New snapshot"], cwd=self.clone, env=identity)
        self.tested = git(["rev-parse", "HEAD"], cwd=self.clone)

    def push(self):
        return self.bench.execute(push)

    def run(self, name: str, branch: str = "lab/main", url: str = "") -> str:
        """Another run, from the packaging branch as it is now, that pushes to a branch; the tested commit."""
        where = {"git": url or str(self.path), "branch": branch}
        self.bench = self.benches(self.labs(packaging=self.path, component={"packaging": {"push": where}}))
        self.bench.pretend("archive")
        self.bench.pretend("packaging", facts={"branch": "main"})
        clone = self.bench.run.work / "packaging"
        git(["clone", "--quiet", self.path, clone])
        (clone / "debian/changelog").write_text(f"run {name}\n")
        message = f"Update the changelog for {name}"
        env = identity("Test Lab <lab@lab.example>", 1_767_225_600)
        git(["commit", "--quiet", "--all", "--message", message], cwd=clone, env=env)
        return git(["rev-parse", "HEAD"], cwd=clone)

    def tip(self, branch: str = "main") -> str:
        return git(["rev-parse", branch], cwd=self.path)

    def hook(self, name: str, script: str) -> None:
        path = self.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def updates(self) -> list[str]:
        """Return the commits that the branch was moved to, from the reflog of the repository."""
        return [line.split()[1] for line in (self.path / "logs/refs/heads/main").read_text().splitlines()]


@pytest.fixture
def remote(tmp_path, git_repository, lab_factory, bench):
    return Remote(tmp_path, git_repository, lab_factory, bench)


def test_push_is_done_once(remote):
    record = remote.push()
    facts = {"url": str(remote.path), "branch": "main", "commit": remote.tested, "pushed": True}
    assert (record.verdict, record.facts) == ("passed", facts), remote.bench.log("push")
    assert remote.tip() == remote.tested
    again = remote.push()
    assert (again.verdict, again.facts) == ("passed", facts | {"pushed": False})
    assert remote.updates() == [remote.tested]


def test_push_creates_branch(remote, lab_factory):
    where = {"git": str(remote.path), "branch": "lab/main"}
    remote.bench.lab = lab_factory(component={"packaging": {"push": where}})
    assert remote.push().facts["pushed"] is True
    assert (remote.tip("lab/main"), remote.tip("main")) == (remote.tested, remote.start)


def contents(remote, branch: str) -> str:
    return git(["show", f"{branch}:debian/changelog"], cwd=remote.path)


@pytest.mark.integration
def test_push_updates_lab_branch_with_each_run(remote):
    """No run starts from this branch; each push is a fast-forward, and reflog and history keep every run."""
    git(["config", "receive.denyNonFastForwards", "true"], cwd=remote.path)
    tested = []
    for name in ("1", "2", "3"):
        tested.append(remote.run(name))
        record = remote.push()
        assert (record.verdict, record.facts["commit"], record.facts["pushed"]) == ("passed", tested[-1], True), (
            record.message
        )
        assert contents(remote, "lab/main") == f"run {name}"
        again = remote.push()
        assert (again.verdict, again.facts["pushed"]) == ("passed", False)
    remote.people.git("pull", "--quiet", "origin", "main")
    remote.people.commit("Go on", {"debian/rules": "x\n"})
    remote.people.git("push", "--quiet", "origin", "main")
    tested.append(remote.run("4"))
    assert remote.push().verdict == "passed"
    assert git(["show", "lab/main:debian/rules"], cwd=remote.path) == "x"
    history = git(["rev-list", "lab/main"], cwd=remote.path).split()
    assert set(tested) <= set(history)
    assert remote.tip() not in tested  # the packaging branch is left alone


@pytest.mark.integration
@pytest.mark.parametrize("subject", ["Fix it by hand", "Update the documentation"])
@pytest.mark.parametrize("committer", ["Ada <ada@x.example>", "Test Lab <lab@lab.example>"])
def test_push_keeps_foreign_commits_on_lab_branch(remote, subject, committer):
    remote.run("1")
    remote.push()
    remote.people.git("fetch", "--quiet", "origin", "lab/main")
    remote.people.git("checkout", "--quiet", "-b", "theirs", "FETCH_HEAD")
    remote.people.git("commit", "--quiet", "--allow-empty", "-m", subject, env=identity(committer, 1_767_225_600))
    remote.people.git("push", "--quiet", "origin", "theirs:lab/main")
    theirs = remote.people.git("rev-parse", "HEAD")
    remote.run("2")
    record = remote.push()
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert "nothing is overwritten; merge it, or delete the branch" in record.message
    assert remote.tip("lab/main") == theirs
    git(["branch", "--delete", "--force", "lab/main"], cwd=remote.path)
    assert remote.push().verdict == "passed"  # the hint leads out


@pytest.mark.integration
def test_push_keeps_other_run_on_packaging_branch(remote):
    """The next run starts from that run's commit and changelog entry."""
    remote.run("1", branch="main", url=f"file://{remote.path}")
    other = remote.bench
    remote.run("2", branch="main", url=f"file://{remote.path}")
    tip = remote.push().facts["commit"]
    remote.bench = other
    record = remote.push()
    assert "main moved to" in record.message
    assert "the next run starts from it" in record.message
    assert remote.tip() == tip


@pytest.mark.integration
def test_push_after_real_steps_updates_lab_branch(lab_factory, bench, git_repository, tmp_path):
    upstream, packages, place = git_repository("upstream"), git_repository("packages"), tmp_path / "pushed.git"
    packages.commit("Package it", packaging_files())
    git(["init", "--quiet", "--bare", place])
    where = {"git": str(place), "branch": "lab/main"}
    lab = lab_factory(upstream=upstream.path, packaging=packages.path, component={"packaging": {"push": where}})
    for number in range(3):
        upstream.commit(f"Commit {number}", {"greet.txt": f"{number}\n"})
        upstream.tag(f"v1.{number}")
        run = bench(lab)
        for module in (snapshot, packaging, changelog):
            assert run.execute(module).verdict == "passed"
        run.pretend("archive")
        record = run.execute(push)
        assert (record.verdict, record.facts["pushed"]) == ("passed", True), record.message
        newest = git(["show", "lab/main:debian/changelog"], cwd=place).partition("\n")[0]
        assert newest.startswith(f"greet (1.{number}+git")


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("https://h.example/a/b.git", "git@h.example:a/b", True),
        ("https://h.example/a/b", "ssh://git@h.example/a/b.git/", True),
        ("/srv/a/b.git", "file:///srv/a/b.git", True),
        ("https://h.example/a/b", "https://h.example/c/b", False),
        ("https://h.example/a/b", "https://o.example/a/b", False),
    ],
)
def test_place_of_repository_url(one, other, same):
    assert (push.place(one) == push.place(other)) == same


@pytest.mark.integration
def test_push_keeps_newer_commits(remote):
    remote.push()
    remote.people.git("pull", "--quiet", "origin", "main")
    newer = remote.people.commit("Go on")
    remote.people.git("push", "--quiet", "origin", "main")
    record = remote.push()
    assert (record.verdict, record.facts["pushed"]) == ("passed", False)
    assert remote.tip() == newer


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_push_reports_moved_branch(remote, when):
    moved = remote.people.commit("Meanwhile")
    if when == "before":
        remote.people.git("push", "--quiet", "origin", "main")
    else:  # between the query and the push
        git(["push", "--quiet", "origin", "main:aside"], cwd=remote.people.path)
        remote.hook("pre-receive", f"env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {moved}")
    record = remote.push()
    assert (record.verdict, record.exit_code) == ("error", 3), remote.bench.log("push")
    assert f"main moved to {moved}, without {remote.tested}" in record.message
    assert "the next run starts from it" in record.message
    assert remote.tip() == moved


def test_push_with_lost_answer_passes(remote, tmp_path, monkeypatch):
    """The server accepts the push, but git reports a failure."""
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n{shutil.which("git")} "$@" || exit\ncase "$*" in *" push "*) exit 128; esac\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    record = remote.push()
    assert (record.verdict, record.facts["pushed"]) == ("passed", True)
    assert remote.tip() == remote.tested


def test_push_refused_by_hook(remote):
    remote.hook("pre-receive", "echo Checking.; echo No entry for Sunday.; exit 1")
    record = remote.push()
    assert (record.verdict, record.exit_code) == ("error", 3)
    reason = "No entry for Sunday. (pre-receive hook declined)"
    assert record.message == f"{remote.path}: main cannot be pushed: {reason}"
    assert remote.tip() == remote.start


def test_push_to_unreachable_repository(remote, lab_factory):
    where = {"git": "/nowhere/at.git", "branch": "main"}
    remote.bench.lab = lab_factory(component={"packaging": {"push": where}})
    record = remote.push()
    assert (record.verdict, record.exit_code) == ("error", 3)
    reason = "'/nowhere/at.git' does not appear to be a git repository"
    assert record.message == f"/nowhere/at.git: cannot be asked what it has: {reason}"


def test_push_is_skipped_without_configuration(remote, lab_factory):
    remote.bench.lab = lab_factory()
    assert remote.push().verdict == "skipped"
    assert remote.tip() == remote.start


def test_push_is_skipped_after_skipped_archive(remote):
    path = remote.bench.run.record_path("archive")
    remote.bench.run.record("archive").model_copy(update={"verdict": "skipped"}).write(path)
    assert remote.push().verdict == "skipped"
    assert remote.tip() == remote.start


@pytest.mark.integration
@pytest.mark.parametrize("hook", ["pre-receive", "update"])
def test_push_after_kill_is_done_once(remote, tmp_path, hook):
    """Kill git during the server's work; after a second push the server has the commit once."""
    remote.hook(hook, f"touch {tmp_path}/there; sleep 0.5")
    process = start(push, remote.bench)
    wait_for((tmp_path / "there").exists)
    process.kill()
    process.wait()
    record = remote.push()
    assert record.verdict == "passed", remote.bench.log("push")
    assert remote.tip() == remote.tested
    assert remote.updates() == [remote.tested]


def test_push_ignores_git_configuration_of_user(remote):
    config = Path(os.environ["HOME"], ".gitconfig")
    config.write_text("[push]\n\tdefault = broken\n\tfollowTags = true\n[core]\n\thooksPath = /nowhere\n")
    assert remote.push().facts["pushed"] is True
